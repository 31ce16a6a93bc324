"""Rich text: a harmless subset of HTML in one `<body>`, and its plain twin.

Writing either side derives the other; where both are sent, the HTML counts.
"""

import html
import re
from collections.abc import Callable, Iterator
from typing import Any

import nh3

from clinch.crm.open_tags import refuse_open_tags
from clinch.resources.actor import Actor
from clinch.resources.fields import Text, Words
from clinch.resources.write.change import Change

_BLOCKS = ("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre")
_TAGS = {*_BLOCKS, "b", "strong", "i", "em", "u", "s", "code", "hr", "a", "img", "span", "br"}
_ATTRIBUTES = {
    "*": {"style"},
    "a": {"href"},
    "img": {"src", "alt"},
    "span": {"data-type", "data-id", "data-label", "class"},
}
_STYLES = {"color", "background-color", "text-align", "font-weight", "font-style"}


# What is harmless is well-formed too: no tag has a `>` in it but the one at its end.
_TAG = re.compile(r"(<[^>]*>)")
_LINES = "|".join((*_BLOCKS, "div", "table", "tr"))
_LINE_BEGINS = re.compile(rf"<(?P<name>{_LINES})\b")
_LINE_ENDS = re.compile(rf"<(?:br|hr|/(?:{_LINES}))\b")
_LINK = re.compile(r'<a\b[^>]*\bhref="(?P<to>[^"]+)"[^>]*>(?P<text>.*?)</a>', re.DOTALL)

_BLANK = "<body><p></p></body>"

_MENTION = re.compile(r"<span\b(?=[^>]*\bdata-type=\"mention\")[^>]*\bdata-id=\"(\w+)\"")


class RichText(Text):
    """A fragment of HTML, made harmless and wrapped in `<body>`; when there is none, an empty
    paragraph, or null where that is allowed."""

    def empty(self) -> Any:
        return None if self.nullable else _BLANK

    def read(self, value: Any, actor: Actor) -> Any:
        value = super().read(value, actor)
        if not value or value == _BLANK:
            return value
        inner = re.sub(r"</?body[^<>]*>", "", value, flags=re.IGNORECASE)
        refuse_open_tags(inner)
        clean = nh3.clean(
            inner,
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            filter_style_properties=_STYLES,
            url_schemes={"http", "https", "mailto", "tel"},
            link_rel=None,
        )
        return (
            f"<body>{clean}</body>" if re.search(r"<\w", clean) else f"<body><p>{clean}</p></body>"
        )


def keep_twins(
    change: Change, plain: Text, rich: RichText, render: Callable[[str], str] | None = None
) -> None:
    """Derive the side that was not sent from the one that was, the plain one by `render`.

    HTML that is sent back as it was answered is as if it was not sent.
    """
    sent_back = bool(change.before) and change.body.get(rich.key) == change.was(rich)
    if sent_back and change.sets(rich) and not change.moved(plain):
        change.set(rich, change.was(rich))
    elif change.sets(rich) and not sent_back:
        change.set(plain, (render or to_plain)(change.get(rich) or "") or plain.empty())
    elif change.sets(plain):
        text = change.get(plain)
        change.set(rich, to_rich(text) if text else rich.empty())


def derive_mentions(change: Change, rich: RichText, mentions: Words) -> None:
    change.set(mentions, mentioned(change.get(rich) or ""))


def mentioned(*texts: str) -> list[str]:
    """The users whom the texts mention, in order."""
    return list(dict.fromkeys(id for text in texts for id in _MENTION.findall(text)))


def to_rich(text: str) -> str:
    escaped = html.escape(text, quote=False).replace("\n", "<br />")
    return f"<body><p>{escaped}</p></body>"


def to_plain(markup: str) -> str:
    """The text of HTML that was made harmless, with its blocks on lines of their own and a mark
    before list items."""
    text = re.sub(r"\n{3,}", "\n\n", html.unescape("".join(_pieces(markup))))
    return text.strip()


def _pieces(markup: str) -> Iterator[str]:
    line_has_text = False
    for piece in _TAG.split(markup):
        if not piece.startswith("<"):
            line = piece.rpartition("\n")
            line_has_text = bool(line[2].strip()) or (line_has_text and not line[1])
            yield piece
        elif _LINE_ENDS.match(piece):
            line_has_text = False
            yield "\n"
        elif begun := _LINE_BEGINS.match(piece):
            yield "\n" * line_has_text + "* " * (begun["name"] == "li")
            line_has_text = False


def to_plain_with_links(markup: str) -> str:
    """The same, with links as Markdown writes them unless their text is the address."""
    return to_plain(_LINK.sub(_marked_link, markup))


def _marked_link(link: re.Match[str]) -> str:
    return link["text"] if link["text"] == link["to"] else f"[{link['text']}]({link['to']})"
