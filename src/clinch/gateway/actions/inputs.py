"""The vocabulary that the inputs of actions are declared in; their JSON Schemas come from it.

Canonical names are camelCase; any other spelling of the same words (`lead_id`, `lead-id`) is
accepted, and so are the names in `also`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clinch.gateway.actions.dates import parse_when
from clinch.gateway.actions.errors import ActionError
from clinch.gateway.actions.run import Run

Schema = dict[str, Any]
Given = Mapping[str, Any]


def squashed(name: str) -> str:
    """A name without the differences of spelling: case, `_`, `-` and blanks."""
    return re.sub(r"[\s_-]+", "", name).lower()


@dataclass(frozen=True, kw_only=True)
class Input:
    """One input of an action. `api` names the API's property that it sets or filters by.

    `clears` says that null is a value: it empties the property.
    """

    name: str
    doc: str
    api: str = ""
    also: tuple[str, ...] = ()
    required: bool = False
    clears: bool = False

    def shape(self) -> Schema:
        """The JSON Schema of a value, without what all inputs have."""
        raise NotImplementedError

    def schema(self) -> Schema:
        shape = self.shape()
        if self.clears and isinstance(shape.get("type"), str):
            shape = shape | {"type": [shape["type"], "null"]}
            if "enum" in shape:
                shape["enum"] = [*shape["enum"], None]
        return shape | {"description": self.doc}

    def wide(self) -> Schema:
        """The JSON Schema of all that `ready` brings into the form of the other, to be shown."""
        return self.schema()

    def ready(self, value: Any) -> Any:
        """The value in the form of the schema, where it was meant so: "10" for 10."""
        return value

    async def resolve(self, run: Run, value: Any, given: Given) -> dict[str, Any]:
        """What the API is sent for the value, by its own names. Raises ActionError."""
        return {self.api or self.name: value}


@dataclass(frozen=True, kw_only=True)
class Text(Input):
    max: int = 100_000
    min: int = 0

    def shape(self) -> Schema:
        bounds = {"minLength": self.min} if self.min else {}
        return {"type": "string", "maxLength": self.max, **bounds}


@dataclass(frozen=True, kw_only=True)
class Whole(Input):
    """A whole number."""

    min: int = 0
    max: int = 10**15
    default: int | None = None

    def shape(self) -> Schema:
        default = {} if self.default is None else {"default": self.default}
        return {"type": "integer", "minimum": self.min, "maximum": self.max, **default}

    def ready(self, value: Any) -> Any:
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, str) and re.fullmatch(r"\s*-?\d{1,18}\s*", value):
            return int(value)
        return value


@dataclass(frozen=True, kw_only=True)
class Flag(Input):
    def shape(self) -> Schema:
        return {"type": "boolean"}

    def ready(self, value: Any) -> Any:
        if isinstance(value, str):
            return {"true": True, "false": False}.get(value.strip().lower(), value)
        return value


@dataclass(frozen=True, kw_only=True)
class OneOf(Input):
    """One of some words, in any spelling; `words` gives what the API calls each."""

    words: Mapping[str, str]
    synonyms: Mapping[str, str] | None = None

    def shape(self) -> Schema:
        return {"type": "string", "enum": list(self.words)}

    def ready(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        known = {squashed(word): word for word in self.words}
        known |= {squashed(word): means for word, means in (self.synonyms or {}).items()}
        return known.get(squashed(value), value)

    async def resolve(self, run: Run, value: Any, given: Given) -> dict[str, Any]:
        return {self.api or self.name: None if value is None else self.words[value]}


def same(*words: str) -> dict[str, str]:
    """Words that the API calls the same."""
    return {word: word for word in words}


@dataclass(frozen=True, kw_only=True)
class SeveralOf(OneOf):
    """One or more of some words."""

    def shape(self) -> Schema:
        return {"type": "array", "items": super().shape(), "minItems": 1}

    def wide(self) -> Schema:
        return {"anyOf": [super().shape(), self.shape()], "description": self.doc}

    def ready(self, value: Any) -> Any:
        if isinstance(value, str):
            value = [word for word in value.split(",") if word.strip()]
        if isinstance(value, list):
            return [super(SeveralOf, self).ready(word) for word in value]
        return value

    async def resolve(self, run: Run, value: Any, given: Given) -> dict[str, Any]:
        return {self.api or self.name: ",".join(self.words[word] for word in value)}


@dataclass(frozen=True, kw_only=True)
class When(Input):
    """A day or, with `time`, a time."""

    time: bool = True

    def shape(self) -> Schema:
        return {"type": "string", "examples": ["2026-03-05"]}

    async def resolve(self, run: Run, value: Any, given: Given) -> dict[str, Any]:
        if value is not None:
            parse_when(self.name, value, time=self.time)
        return await super().resolve(run, value, given)


@dataclass(frozen=True, kw_only=True)
class TimeZone(Input):
    def shape(self) -> Schema:
        return {"type": "string", "examples": ["Europe/London"]}


@dataclass(frozen=True, kw_only=True)
class Texts(Input):
    """A list of texts; one text alone is a list of one."""

    split: bool = False

    def shape(self) -> Schema:
        return {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 100}

    def wide(self) -> Schema:
        return {"anyOf": [{"type": "string"}, self.shape()], "description": self.doc}

    def ready(self, value: Any) -> Any:
        if isinstance(value, str):
            parts = value.split(",") if self.split else [value]
            return [part.strip() for part in parts if part.strip()]
        return value


@dataclass(frozen=True, kw_only=True)
class Objects(Input):
    """A list of objects with inputs of their own; a text alone stands for the one named `text`."""

    inner: tuple[Input, ...]
    text: str | None = None

    def shape(self) -> Schema:
        return {"type": "array", "items": object_schema(self.inner), "maxItems": 100}

    def wide(self) -> Schema:
        item = object_schema(self.inner, wide=True)
        if self.text:
            item = {"anyOf": [{"type": "string"}, item]}
        return self.schema() | {"items": item}

    def ready(self, value: Any) -> Any:
        if isinstance(value, (str, dict)):
            value = [value]
        if not isinstance(value, list):
            return value
        return [self._entry(entry) for entry in value]

    def _entry(self, entry: Any) -> Any:
        if isinstance(entry, str) and self.text:
            entry = {self.text: entry}
        if not isinstance(entry, dict):
            return entry
        named, read = names_of(self.inner), {}
        for name, value in entry.items():
            input = named.get(squashed(name))
            read[input.name if input else name] = input.ready(value) if input else value
        return read

    async def resolve(self, run: Run, value: Any, given: Given) -> dict[str, Any]:
        return {self.api or self.name: [await self._resolved(run, one) for one in value or ()]}

    async def _resolved(self, run: Run, entry: dict[str, Any]) -> dict[str, Any]:
        sent: dict[str, Any] = {}
        for input in self.inner:
            if input.name in entry:
                sent |= await input.resolve(run, entry[input.name], entry)
        return sent


@dataclass(frozen=True, kw_only=True)
class Money(Whole):
    """An amount in cents, which people who think in the main unit are told of."""

    def ready(self, value: Any) -> Any:
        value = super().ready(value)
        decimal = isinstance(value, float) and not value.is_integer()
        if decimal or (isinstance(value, str) and value.strip()):
            raise ActionError(
                f"{self.name} must be a whole number of cents (got {str(value)[:40]}).",
                "Send 50000 for 500.00 of the organization's currency.",
                self.name,
            )
        return value

    async def resolve(self, run: Run, value: Any, given: Given) -> dict[str, Any]:
        if value is not None:
            units = f"{value // 100:,}.{value % 100:02}"
            run.warnings.append(
                f"{self.name} is in cents: {value} stands for {units} of the currency."
            )
        return {self.api or self.name: value}


def names_of(inputs: tuple[Input, ...]) -> dict[str, Input]:
    """The inputs by every squashed name that they are accepted under."""
    named: dict[str, Input] = {}
    for input in inputs:
        for name in (input.name, *input.also, input.api):
            if name:
                named.setdefault(squashed(name), input)
    return named


def object_schema(inputs: tuple[Input, ...], *, wide: bool = False) -> Schema:
    """The JSON Schema of an object with these inputs; `wide` for that which is shown."""
    required = [input.name for input in inputs if input.required]
    return {
        "type": "object",
        "properties": {input.name: input.wide() if wide else input.schema() for input in inputs},
        **({"required": required} if required else {}),
    }
