"""How objects of the API are shown: some useful fields of each unless more is asked for."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from clinch.gateway.actions.errors import ActionError
from clinch.gateway.actions.inputs import Schema, Texts, squashed
from clinch.gateway.actions.references import custom_fields
from clinch.gateway.actions.run import Run
from clinch.gateway.outside import foreign_fields

Record = dict[str, Any]

TEXT: Schema = {"type": ["string", "null"]}
NUMBER: Schema = {"type": ["integer", "null"]}
FLAG: Schema = {"type": ["boolean", "null"]}
LIST: Schema = {"type": ["array", "null"]}

FIELDS = Texts(
    name="fields",
    split=True,
    also=("_fields",),
    doc='What to show of each record: "all", or names of fields, custom fields by their name.',
)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How objects of a noun are shown.

    `short` are the fields that a list shows, by name with their schema; of a list of objects in a
    field only the properties in `inner` are shown then, and of a text only its first `cut`
    characters. `custom` says that they have custom fields. `reads` are fields that are always asked
    for: they tell where a text came from, or `computed`, which are made here, are made of them.
    """

    noun: str
    short: dict[str, Schema]
    inner: dict[str, tuple[str, ...]] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    custom: bool = False
    reads: tuple[str, ...] = ()
    computed: dict[str, Callable[[Record], Any]] = field(default_factory=dict)

    def schema(self) -> Schema:
        custom = {"custom": {"type": "object"}} if self.custom else {}
        return {"type": "object", "properties": self.short | custom}


@dataclass(slots=True)
class View:
    """What one run shows of the objects of a shape; `names` is None for everything."""

    shape: Shape
    short: bool
    names: tuple[str, ...] | None = None
    custom: tuple[str, ...] = ()
    was_cut: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)

    def parameters(self) -> tuple[tuple[str, str], ...]:
        """The parameter that has the API answer what is shown, and no more."""
        if self.names is None:
            return ()
        named = (name for name in self.names if name not in self.shape.computed)
        asked = dict.fromkeys((*named, *self.shape.reads, "id"))
        return (("_fields", ",".join([*asked, *(["custom"] if self.custom else [])])),)

    async def show(self, run: Run, record: Record) -> Record:
        """The record as it is shown; what came from outside is noted in the run."""
        whole = await _custom_by_name(run, self.shape, record)
        whole = whole | {name: make(whole) for name, make in self.shape.computed.items()}
        if self.names is None:
            shown = whole
        else:
            shown = {name: whole[name] for name in self.names if name in whole}
            self.missing &= set(self.names) - set(shown)
            if self.custom:
                values = whole.get("custom") or {}
                shown["custom"] = {name: values[name] for name in self.custom if name in values}
        if self.short:
            shown = {name: self._shortened(name, value) for name, value in shown.items()}
        run.foreign[id(shown)] = (shown, foreign_fields(whole))
        return shown

    def _shortened(self, name: str, value: Any) -> Any:
        inner, longest = self.shape.inner.get(name), self.shape.cut.get(name)
        if inner and isinstance(value, list):
            return [{key: one.get(key) for key in inner} for one in value]
        if longest and isinstance(value, str) and len(value) > longest:
            self.was_cut.add(name)
            return value[: longest - 1].rstrip() + "…"
        return value

    def tell(self, run: Run, shown: int) -> None:
        """Warn of what is shown in part, and of names that nothing has."""
        if self.was_cut:
            names = ", ".join(sorted(self.was_cut))
            run.warnings.append(f'Long texts are cut ({names}); fields: "all" gives them whole.')
        if shown and self.missing:
            names = ", ".join(sorted(self.missing))
            run.warnings.append(f"No {self.shape.noun} here has the fields: {names}.")


async def view_of(run: Run, shape: Shape, wanted: list[str] | None, *, all: bool = False) -> View:
    """What the input `fields` asks for; without it the short form, or all. Raises ActionError."""
    if not wanted:
        if all:
            return View(shape, short=False)
        return View(shape, short=True, names=tuple(shape.short))
    if "all" in wanted or "_all" in wanted:
        return View(shape, short=False)
    known = {squashed(name): name for name in shape.short}
    names, custom = [], []
    for name in wanted:
        match = known.get(squashed(name))
        if match is None and shape.custom and name != "custom":
            rows = await custom_fields(run, shape.noun)
            plain = squashed(name.removeprefix("custom."))
            found = [
                row["name"] for row in rows if plain in (squashed(row["name"]), squashed(row["id"]))
            ]
            if found:
                custom.append(found[0])
                continue
        match = match or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
        if not re.fullmatch(r"[\w.]+", match):
            raise ActionError(
                f"fields: a {shape.noun} has no field {name[:80]!r}.",
                f'Name some of {", ".join(shape.short)}, or send "all".',
                "fields",
            )
        names.append(match)
    view = View(shape, short=False, names=tuple(names), custom=tuple(custom))
    view.missing = set(names)
    return view


async def _custom_by_name(run: Run, shape: Shape, record: Record) -> Record:
    """The record with its custom values in `custom`, by name, and under no other key."""
    flat = {key: value for key, value in record.items() if key.startswith("custom.")}
    if not flat:
        return record
    rest = {key: value for key, value in record.items() if key not in flat}
    if "custom" not in rest and shape.custom:
        rows = {row["id"]: row["name"] for row in await custom_fields(run, shape.noun)}
        named = {key.removeprefix("custom."): value for key, value in flat.items()}
        rest["custom"] = {rows.get(key, key): value for key, value in named.items()}
    return rest
