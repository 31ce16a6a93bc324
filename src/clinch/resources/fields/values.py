"""Fields that hold one plain value: texts, numbers, truth, moments."""

import re
from datetime import UTC, date, datetime
from typing import Any

from clinch.resources.actor import Actor
from clinch.resources.errors import NO_CHOICE, REQUIRED, Invalid, wrong_type
from clinch.resources.fields.field import Field, Json, Output


class Text(Field):
    """A string, trimmed; null and blank are stored as "" unless it is nullable."""

    def __init__(self, *, max: int = 100_000, min: int = 0, trim: bool = True, **rest: Any) -> None:
        super().__init__(**rest)
        self.max, self.min, self.trim = max, min, trim

    def empty(self) -> Json:
        return None if self.nullable else ""

    def parse(self, value: Json, actor: Actor) -> Json:
        # Null is blank here, and must not slip past what a blank text would be refused for.
        blank = value is None and not self.nullable and not self.required
        return super().parse("" if blank else value, actor)

    def read(self, value: Json, actor: Actor) -> Json:
        if not isinstance(value, str):
            raise wrong_type("str")
        if "\x00" in value:
            raise Invalid("The value must not contain null characters.")
        value = value.strip() if self.trim else value
        if self.required and not value:
            raise Invalid(REQUIRED)
        if len(value) > self.max:
            raise Invalid(f"The value must be no longer than {self.max} characters.")
        if len(value) < self.min:
            raise Invalid(f"The value must be at least {self.min} characters long.")
        return value or self.empty()

    def limits(self) -> dict[str, Json]:
        least = {"minLength": self.min} if self.min else {}
        return {"maxLength": self.max, **least}


class Url(Text):
    """A web address; `http://` is added where the scheme is missing, blank is null."""

    _ADDRESS = re.compile(r"https?://[^\s/?#]+\S*", re.IGNORECASE)
    _SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:(?!\d)", re.IGNORECASE)

    def __init__(self, **rest: Any) -> None:
        super().__init__(max=2000, **{"nullable": True, **rest})

    def read(self, value: Json, actor: Actor) -> Json:
        value = super().read(value, actor)
        if not value:
            return value
        if "://" not in value:
            if self._SCHEME.match(value):
                raise Invalid("This URL uses a scheme that's not allowed.")
            value = f"http://{value}"
        if not self._ADDRESS.fullmatch(value):
            scheme = value.partition("://")[0].lower()
            raise Invalid(
                "Invalid URL."
                if scheme in ("http", "https")
                else "This URL uses a scheme that's not allowed."
            )
        return value


class EmailAddress(Text):
    """An address of at most 254 characters, trimmed."""

    _LONGEST = 254
    _ADDRESS = re.compile(
        r"[^\s@<>()\[\],;:\\\"]+@([^\s@.,;:<>()\[\]\\\"_]+\.)+[^\W\d_][\w-]{0,61}[^\W_]"
    )

    def read(self, value: Json, actor: Actor) -> Json:
        value = super().read(value, actor)
        if value and (len(value) > self._LONGEST or not self._ADDRESS.fullmatch(value)):
            raise Invalid("Invalid email address.")
        return value

    def limits(self) -> dict[str, Json]:
        return {"maxLength": self._LONGEST}


class Choice(Text):
    """One of a fixed list of words."""

    def __init__(self, *choices: str, **rest: Any) -> None:
        super().__init__(**rest)
        self.choices = choices

    def read(self, value: Json, actor: Actor) -> Json:
        if value not in self.choices:
            raise Invalid(NO_CHOICE)
        return value

    def limits(self) -> dict[str, Json]:
        return {}

    def schema(self) -> dict[str, Json]:
        return super().schema() | {"enum": [*self.choices, *([None] if self.nullable else [])]}


# What JSON's numbers hold without loss goes as far.
_BEYOND = 2**53


class Integer(Field):
    """A whole number between `min` and `max`."""

    sql_type = "bigint"
    json_type = "integer"

    def __init__(self, *, min: int = -_BEYOND, max: int = _BEYOND, **rest: Any) -> None:
        super().__init__(**rest)
        self.min, self.max = min, max

    def empty(self) -> Json:
        return None if self.nullable else 0

    def read(self, value: Json, actor: Actor) -> Json:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_type("int")
        if value > self.max:
            raise Invalid(f"The value must not be larger than {self.max}.")
        if value < self.min:
            raise Invalid(f"The value must be at least {self.min}.")
        return value

    def limits(self) -> dict[str, Json]:
        bounds = {"minimum": (self.min, -_BEYOND), "maximum": (self.max, _BEYOND)}
        return {name: bound for name, (bound, beyond) in bounds.items() if bound != beyond}

    def filter_value(self, text: str, actor: Actor) -> Json:
        if text == "":
            return None
        if not re.fullmatch(r"-?\d{1,18}", text):
            raise wrong_type("int")
        return int(text)


class Boolean(Field):
    """True or false."""

    sql_type = "boolean"
    json_type = "boolean"

    def empty(self) -> Json:
        return None if self.nullable else False

    def read(self, value: Json, actor: Actor) -> Json:
        if not isinstance(value, bool):
            raise wrong_type("bool")
        return value

    def filter_value(self, text: str, actor: Actor) -> Json:
        return None if text == "" else text.lower() != "false"


# The end of a time whose offset had a plus sign, which a query string turns into a space.
_SPACED_OFFSET = re.compile(r"(?<=\d) (?=\d\d:?\d\d$)")


def parse_datetime(text: str, actor: Actor) -> datetime:
    """An ISO 8601 date or datetime in UTC; one without an offset is in the actor's zone."""
    text = text.strip()
    try:
        if "\x00" in text:  # fromisoformat would read no further
            raise ValueError
        if "T" in text:
            text = _SPACED_OFFSET.sub("+", text)
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC) - actor.utc_offset
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid("Invalid ISO 8601 datetime.") from None


def local_time(moment: datetime, actor: Actor) -> datetime:
    """What the actor's clock says at the moment, as if it was in UTC; raises Invalid."""
    try:
        return moment + actor.utc_offset
    except OverflowError:
        raise Invalid("Invalid ISO 8601 datetime.") from None


def stored_time(moment: datetime) -> str:
    """A time as the database prints it inside JSON, so that equal times are equal texts."""
    text = moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00")
    return text.rstrip("0").rstrip(".") + "+00:00"


class DateTime(Field):
    """A moment, stored in UTC."""

    sql_type = "timestamp with time zone"

    def read(self, value: Json, actor: Actor) -> Json:
        if not isinstance(value, str):
            raise Invalid("Invalid ISO 8601 datetime.")
        if not value.strip():
            return self.parse(None, actor)
        return stored_time(parse_datetime(value, actor))

    def filter_value(self, text: str, actor: Actor) -> Json:
        return None if text == "" else parse_datetime(text, actor)

    def output(self, row: str, out: Output) -> str:
        time = f"api_time({self.sql(row)})"
        return f"left({time}, 26)" if self.resource.naive_times else time

    def schema(self) -> dict[str, Json]:
        # A time without an offset is not what the format means.
        bound = getattr(self, "resource", None)
        naive = bound is not None and bound.naive_times
        return super().schema() | ({} if naive else {"format": "date-time"})


class Date(Field):
    """A day without a time."""

    sql_type = "date"

    def read(self, value: Json, actor: Actor) -> Json:
        if not isinstance(value, str):
            raise Invalid("Invalid ISO 8601 datetime.")
        if not value.strip():
            return self.parse(None, actor)
        return _parse_date(value, actor).isoformat()

    def filter_value(self, text: str, actor: Actor) -> Json:
        return None if text == "" else _parse_date(text, actor)

    def schema(self) -> dict[str, Json]:
        return super().schema() | {"format": "date"}


def _parse_date(text: str, actor: Actor) -> date:
    """An ISO 8601 date, or the actor's day at a datetime."""
    text = text.strip()
    if "T" in text or " " in text:
        return local_time(parse_datetime(text, actor), actor).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid("Invalid ISO 8601 datetime.") from None


class Id(Field):
    """The object's own id."""

    sql_type = 'text collate "C"'

    def __init__(self, **rest: Any) -> None:
        super().__init__(writable="never", doc="The object's id.", **rest)
