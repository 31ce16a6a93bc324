"""A sentence cut into phrases that the lexicon knows, and what is between them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from clinch.gateway.intent.lexicon import Kind, Phrases, Sense, lexicon
from clinch.gateway.intent.words import is_chinese, is_plural, normal, pairs, singular, split, stem

# An id is told from a name by a digit or a capital: lead_8fK2, but lead_status.
_TOKEN = re.compile(
    r"(?P<id>\b[a-z]{2,8}_(?=[a-zA-Z]*[\dA-Z])[A-Za-z0-9]+\b)"
    r"|(?P<possessive>(?<=\w)'s\b)"
    r"|(?P<text>[^\W_]+(?:['_-](?!s\b)[^\W_]+)*)"
    r"|(?P<mark>[^\w\s])"
)
_QUOTES = frozenset('"“”「」《》')
_ENDS = frozenset(".,;:!?、。()")
# Who speaks is not what is asked for.
_SPEAKER = re.compile(
    r"^\s*(?:as an?|i'?m an?|i am an?)\b[^,.]*?(?:[,.]|\band\b|(?=\b[Ii]\b))", re.I
)


@dataclass(slots=True)
class Item:
    """A phrase, or a word that is in no list; `starts` where a clause does."""

    words: tuple[str, ...]
    """The stems; of Chinese that is in no list, the pairs of its characters."""
    senses: tuple[Sense, ...] = ()
    plural: bool = False
    starts: bool = False
    quoted: bool = False
    """Said to be somebody's words: between quotes, or after a colon."""
    id: bool = False

    def value(self, kind: Kind) -> str | None:
        return next((sense.value for sense in self.senses if sense.kind is kind), None)

    def has(self, kind: Kind) -> bool:
        return any(sense.kind is kind for sense in self.senses)


@dataclass(slots=True)
class _Word:
    text: str
    starts: bool
    quoted: bool


def read_items(text: str) -> list[Item]:
    """The phrases of a text in their order; the longest that fits is taken."""
    items: list[Item] = []
    words: list[_Word] = []
    starts, open_quote, told = True, False, False

    def finish() -> None:
        items.extend(_english(words))
        words.clear()

    for token in _TOKEN.finditer(_SPEAKER.sub("", normal(text), count=1)):
        quoted = open_quote or told
        match token.lastgroup:
            case "id":
                finish()
                of = lexicon().prefixes.get(token[0].partition("_")[0])
                senses = (Sense(Kind.NEAR, of),) if of else ()
                items.append(Item((), senses, quoted=quoted, id=True))
            case "possessive":
                finish()
                items.append(Item((), (Sense(Kind.OF),)))
            case "mark":
                finish()
                if token[0] in _QUOTES:
                    open_quote = not open_quote
                told = (told or token[0] == ":") and bool(items)
                starts = starts or token[0] in _ENDS
                continue
            case _:
                for part in split(token[0]):
                    if is_chinese(part):
                        finish()
                        items.extend(_chinese(part, starts, quoted))
                    else:
                        words.append(_Word(part, starts, quoted))
                    starts = False
        starts = False
    finish()
    return items


def _english(words: list[_Word]) -> Iterator[Item]:
    at = 0
    known = lexicon()
    texts = [word.text for word in words]
    bases = [_as_base(text, known.verbs) for text in texts]
    singles = [singular(text) for text in texts]
    while at < len(words):
        longest = max(
            known.verbs.longest.get(bases[at], 1), known.english.longest.get(singles[at], 1)
        )
        for length in range(min(longest, len(words) - at), 0, -1):
            part = texts[at : at + length]
            senses = (
                *known.verbs.senses.get((bases[at], *part[1:]), ()),
                *known.english.senses.get(tuple(singles[at : at + length]), ()),
            )
            if length == 1 and not senses:
                senses = _as_past(texts[at], known.verbs)
            if senses or length == 1:
                first = words[at]
                plural = is_plural(part[-1])
                yield Item(tuple(map(stem, part)), senses, plural, first.starts, first.quoted)
                at += length
                break


def _as_base(word: str, verbs: Phrases) -> str:
    """A word such as `adding` in the form that is in the list, if it is there."""
    if word.endswith("ing") and (word,) not in verbs.senses:
        for base in (word[:-3], f"{word[:-3]}e", word[:-4]):
            if (base,) in verbs.senses:
                return base
    return word


def _as_past(word: str, verbs: Phrases) -> tuple[Sense, ...]:
    for base in (word[:-1], word[:-2], word[:-3]) if word.endswith("ed") else ():
        for sense in verbs.senses.get((base,), ()):
            return (Sense(Kind.PAST, sense.value),)
    return ()


def _chinese(run: str, starts: bool, quoted: bool) -> Iterator[Item]:
    phrases = lexicon().chinese
    at = unknown = 0
    while at < len(run):
        for length in range(min(phrases.longest.get(run[at], 0), len(run) - at), 0, -1):
            senses = phrases.senses.get(tuple(run[at : at + length]))
            if senses:
                if unknown < at:
                    yield Item(tuple(pairs(run[unknown:at])), quoted=quoted)
                yield Item((), tuple(senses), starts=starts and at == 0, quoted=quoted)
                at += length
                unknown = at
                break
        else:
            at += 1
    if unknown < len(run):
        yield Item(tuple(pairs(run[unknown:])), quoted=quoted)
