"""Where a mail goes on to quote what was written before it."""

import re

_INTRODUCED = re.compile(
    r"^(?:On [^\n]{5,300}(?:\n[^\n]{1,300})? wrote:"
    r"|-{2,} ?(?:Original|Forwarded) [Mm]essage ?-{2,})[ \t]*$",
    re.MULTILINE,
)
_TAG = re.compile(r"<(/?)(\w+)([^>]*)>")
_QUOTE = re.compile(r'\bclass="(?:[^"]* )?(?:gmail|yahoo)_quote')
_VOID = {"area", "br", "col", "hr", "img", "wbr"}


def quote_in_text(text: str) -> int | None:
    """Where the quote begins: at the line that introduces it, or at the `>` up to the end."""
    found = _INTRODUCED.search(text)
    return (found.start() if found else _quoted_to_the_end(text)) or None


def _quoted_to_the_end(text: str) -> int | None:
    start, end = None, len(text)
    for line in reversed(text.splitlines(keepends=True)):
        end -= len(line)
        if line.startswith(">"):
            start = end
        elif line.strip():
            break
    return start


def quote_in_html(markup: str) -> int | None:
    """Where the quote begins, in HTML that was made harmless: at an element that stands in no
    other, so that both parts are whole."""
    depth = 0
    for tag in _TAG.finditer(markup):
        closes, name, rest = tag.groups()
        if depth == 0 and not closes and (name == "blockquote" or _QUOTE.search(rest)):
            return tag.start() or None
        if name not in _VOID:
            depth += -1 if closes else 1
    return None
