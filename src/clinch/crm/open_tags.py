"""HTML whose cleaning would cost far more than its length is refused before it is parsed.

HTML has a tag that nobody closed opened again in each block that follows, and each closing looks
through all that is open. So forty thousand characters can stand for forty million.
"""

import re

from clinch.resources.errors import Invalid

# Of each open formatting tag, each other tag may make a copy.
_MOST_COPIES = 1_000_000
_MOST_COPIED = 100_000_000
"""In characters."""
_MOST_STEPS = 100_000_000
_MOST_ROUNDS = 30

_ATTRIBUTES = (
    r"""(?:[\s/]*+[^\s"'<>/=]++(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s"'<>=`]++))?+)*+[\s/]*+"""
)
_FORMATTING = "a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u"
# Without the elements that cannot stand in their like without one of the others between.
_OPENED = re.compile(r"<(?!(?:p|li|br|hr|img)[\s/>])[a-z]", re.IGNORECASE)
_FORMATTED = re.compile(rf"<(?:{_FORMATTING})(?=[\s/>])", re.IGNORECASE)
_WHOLE_TAG = re.compile(rf"<[a-z]+(?=[\s/>]){_ATTRIBUTES}>", re.IGNORECASE)
# Of comments those that hide no formatting, as what only Outlook reads does not: where text looks
# like one and is none, a tag in it counts.
_ALONE = (
    rf"<(?:br|hr|img|wbr)(?=[\s/>]){_ATTRIBUTES}>"
    rf"|<!--(?!-?>)(?:[^<-]|-(?!-)|<(?!/?(?:{_FORMATTING})[\s/>]))*+-->"
)
# An element in which no other begins is closed by its end wherever it stands.
_CLOSED = re.compile(
    rf"{_ALONE}|<([a-z][a-z0-9:]*+)(?=[\s/>]){_ATTRIBUTES}>[^<]*+(?:(?:{_ALONE})[^<]*+)*+</\1\s*+>",
    re.IGNORECASE,
)


def refuse_open_tags(markup: str) -> None:
    """Raise Invalid where what the tags leave open, together with how many there are, is too much
    to clean. Tags that are closed in their order, at any length, are not."""
    tags = markup.count("<")
    for _ in range(_MOST_ROUNDS):
        if _is_cheap(markup, tags):
            return
        markup, closed = _CLOSED.subn(" ", markup)
        if not closed:
            break
    raise Invalid("The HTML leaves too many tags open.")


def _is_cheap(markup: str, tags: int) -> bool:
    if len(_OPENED.findall(markup)) * tags > _MOST_STEPS:
        return False
    formatted = [found.start() for found in _FORMATTED.finditer(markup)]
    if len(formatted) * tags > _MOST_COPIES:
        return False
    wholes = (_WHOLE_TAG.match(markup, start) for start in formatted)
    # What is no tag to us may be a long one to the parser.
    copied = sum(len(whole[0]) if whole else len(markup) for whole in wholes)
    return copied * tags <= _MOST_COPIED
