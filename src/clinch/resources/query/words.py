"""How texts are compared in SQL: whole, by their words, or by a fragment that an index finds."""

import re
from collections.abc import Callable

from clinch.resources.query.tree import TextMode
from clinch.resources.search_text import fold

Bind = Callable[[object], str]
"""Takes a parameter of the statement; its name in SQL."""

# The class is one that PostgreSQL and Python read alike, and small enough for the index of
# trigrams to see that what follows begins a word.
_BREAK = r"[ \t\n\r!-/:-@\[-`{-~]"


def split_words(text: str) -> list[str]:
    """The words of a text: what stands between white space and ASCII punctuation."""
    return [word for word in re.split(_BREAK, text) if word]


def fits(text: str, mode: TextMode, wanted: str, bind: Bind) -> str:
    """SQL that holds where `text`, which is SQL, fits what is wanted, whatever its case."""
    match mode:
        case "is":
            return f"lower({text}) = lower({bind(wanted)}::text)"
        case "ends":
            return f"lower({text}) like lower({bind(f'%{_escape_like(wanted)}')}::text)"
        case "contains":
            return f"lower({text}) like lower({bind(f'%{_escape_like(wanted)}%')}::text)"
    words = f" {' '.join(split_words(wanted))}" + (" " if mode == "words" else "")
    spaced = f"regexp_replace(lower({text}), '{_BREAK}+', ' ', 'g')"
    return f"position(lower({bind(words)}::text) in ' ' || {spaced} || ' ') > 0"


def contains(text: str, fragment: str, bind: Bind) -> str:
    """SQL that holds where the folded `text` has the fragment in it.

    The index knows groups of three characters. A fragment without any is looked for where words
    begin, which it knows too.
    """
    folded = fold([fragment])
    if found_within(fragment):
        return f"{text} like {bind(f'%{_escape_like(folded)}%')}"
    return f"{text} ~ {bind(f'(^|{_BREAK}){re.escape(folded)}')}"


def found_within(fragment: str) -> bool:
    """Whether a fragment is looked for within words too, and not only where they begin.

    Scripts without spaces have words of two characters, and none begins but by another.
    """
    folded = fold([fragment])
    longest = max(re.findall(r"[^\W_]+", folded), key=len, default="")
    return len(longest) >= 3 or (len(longest) == 2 and not folded.isascii())


def _escape_like(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text)
