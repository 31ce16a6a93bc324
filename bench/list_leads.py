"""A page of 50 leads, the last changed first: all default fields, and four of them."""

from datetime import UTC, datetime

from bench.benchmark import Benchmark, Goal, Site

MOST_SKIPPED = 500
FOUR_FIELDS = "&_fields=id,display_name,status_label,date_updated"


def _benchmark(name: str, title: str, reference: str, fields: str, *goals: Goal) -> Benchmark:
    def load(site: Site, runs: int) -> list[str]:
        span = ["0", str(MOST_SKIPPED)]
        return ["list", str(runs), *span, "", site.organization.authorization, "", fields]

    return Benchmark(
        name=name,
        title=title,
        reference=reference,
        answer=None,
        load=load,
        variables=_variables,
        request=lambda _: ("GET", f"/api/v1/lead/?_limit=50&_skip=7{fields}", b""),
        most_statements=1,
        goals=goals,
    )


def _variables(site: Site, runs: int) -> dict[str, str | int]:
    return {
        "organization": site.organization.actor.organization_id,
        "public_url": site.web.url,
        "today": datetime.now(UTC).date().isoformat(),
        "first": 0,
        "last": MOST_SKIPPED,
    }


BENCHMARKS = (
    _benchmark("list", "list 50, all fields", "list_leads", "", Goal("ratio", 0.9)),
    _benchmark(
        "list4",
        "list 50, four fields",
        "list_leads_four_fields",
        FOUR_FIELDS,
        Goal("times_all_fields", 3),
    ),
)
