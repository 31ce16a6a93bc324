"""What it means to compare a field that is a moment or a day with a value of a query."""

from dataclasses import dataclass
from datetime import UTC, datetime, time

from clinch.resources.actor import Actor
from clinch.resources.fields import Children, Field
from clinch.resources.query.tree import And, Comparison, Equal, Exists, Node, Or, Range, Related
from clinch.search.grammar import Value
from clinch.search.moments import read_span
from clinch.search.terms import Term


@dataclass(frozen=True)
class TimeTerm(Term):
    """A moment, compared with spans: `:` is within one, `>` and `>=` go by its start, `<=` by its
    end. So a client that goes on from the day where it stopped misses nothing of that day."""

    field: Field

    def equal(self, value: Value, exact: bool, actor: Actor) -> Node:
        span = read_span(value.text, actor)
        return And((self._range("gte", span.start), self._range("lt", span.end)))

    def compare(self, comparison: Comparison, value: Value, actor: Actor) -> Node:
        span = read_span(value.text, actor)
        if comparison == "lte":
            return self._range("lt", span.end)
        return self._range(comparison, span.start)

    def given(self) -> Node:
        return Exists(self.field)

    def _range(self, comparison: Comparison, moment: datetime) -> Node:
        return Range(self.field, comparison, moment.astimezone(UTC))


@dataclass(frozen=True)
class LastTerm(TimeTerm):
    """The last `moment` of the objects that refer here, which is kept; where it is not before a
    time, such an object is found by the index of those."""

    link: Children
    moment: Field

    def _range(self, comparison: Comparison, moment: datetime) -> Node:
        node = super()._range(comparison, moment)
        if comparison in ("lt", "lte"):
            return node
        since = Range(self.moment, comparison, moment.astimezone(UTC))
        return And((Related(self.link, since), node))


@dataclass(frozen=True)
class DayTerm(TimeTerm):
    """A day without a time, compared with the days of a span, all of them alike."""

    def equal(self, value: Value, exact: bool, actor: Actor) -> Node:
        first, after = read_span(value.text, actor).days
        return And((Range(self.field, "gte", first), Range(self.field, "lt", after)))

    def compare(self, comparison: Comparison, value: Value, actor: Actor) -> Node:
        first, after = read_span(value.text, actor).days
        match comparison:
            case "lte":
                return Range(self.field, "lt", after)
            case "gt":
                return Range(self.field, "gte", after)
        return Range(self.field, comparison, first)


@dataclass(frozen=True)
class DayOrTimeTerm(TimeTerm):
    """A moment, or where the flag `day_only` says so a day that is kept as its midnight in UTC."""

    day_only: Field

    def compare(self, comparison: Comparison, value: Value, actor: Actor) -> Node:
        if comparison == "gt":
            return self._range("gte", read_span(value.text, actor).end)
        return super().compare(comparison, value, actor)

    def _range(self, comparison: Comparison, moment: datetime) -> Node:
        # A day counts from its start, so one that began before the moment is not after it.
        day: Comparison = comparison
        if moment.time() != time():
            day = "lte" if comparison == "lt" else "gt"
        midnight = datetime.combine(moment.date(), time(), UTC)
        return Or(
            (
                And((Equal(self.day_only, True), Range(self.field, day, midnight))),
                And((Equal(self.day_only, False), super()._range(comparison, moment))),
            )
        )
