"""Rich text: a harmless subset of HTML in one `<body>`, and its plain twin.

Writing either side derives the other; where both are sent, the HTML counts.
"""

import html
import re
from typing import Any

import nh3

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
_TAG = re.compile(r"<[^>]*>")
_ITEM = re.compile(r"<li\b[^>]*>")
_LINE_ENDS = re.compile(rf"<(?:br|hr|/(?:{'|'.join((*_BLOCKS, 'div', 'table', 'tr'))}))\b[^>]*>")

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
        inner = re.sub(r"</?body[^>]*>", "", value, flags=re.IGNORECASE)
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


def keep_twins(change: Change, plain: Text, rich: RichText) -> None:
    """Derive the side that was not sent from the one that was."""
    if change.sets(rich):
        change.set(plain, to_plain(change.get(rich) or "") or plain.empty())
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
    """The text of HTML that was made harmless, with lines where its blocks end and a mark before
    list items."""
    text = _LINE_ENDS.sub("\n", _ITEM.sub("* ", markup))
    return re.sub(r"\n{3,}", "\n\n", html.unescape(_TAG.sub("", text))).strip()
