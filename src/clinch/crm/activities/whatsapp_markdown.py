"""The marks that WhatsApp knows, as HTML."""

import html
import re

_CODE = re.compile(r"(```.+?```|`[^`\n]+`)", re.DOTALL)
_MARKS = {"*": "b", "_": "i", "~": "s"}
_MARKED = {
    tag: re.compile(rf"(?<![\w{re.escape(mark)}])\{mark}(?=\S)([^{mark}\n]+)(?<=\S)\{mark}(?!\w)")
    for mark, tag in _MARKS.items()
}
_QUOTED = re.compile(r"^&gt; ?(.*)(?:\n|\Z)", re.MULTILINE)


def to_html(markdown: str) -> str:
    """`*bold*`, `_italic_`, `~struck~`, code between backticks and lines quoted by `> `."""
    parts = _CODE.split(html.escape(markdown, quote=False))
    return "".join(_code(part) if number % 2 else _text(part) for number, part in enumerate(parts))


def _code(part: str) -> str:
    if part.startswith("```"):
        return f"<pre>{part[3:-3]}</pre>"
    return f"<code>{part[1:-1]}</code>"


def _text(part: str) -> str:
    for tag, marked in _MARKED.items():
        part = marked.sub(rf"<{tag}>\1</{tag}>", part)
    return _QUOTED.sub(r"<blockquote>\1</blockquote>", part).replace("\n", "<br>")
