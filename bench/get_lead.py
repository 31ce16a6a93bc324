"""One lead with its contacts, a random one each time."""

from datetime import UTC, datetime

from bench.benchmark import Benchmark, Goal, Site
from bench.fill import FIRST_NUMBER


def _load(site: Site, runs: int) -> list[str]:
    organization = site.organization
    last = FIRST_NUMBER + organization.filled.leads - 1
    span = [str(FIRST_NUMBER), str(last)]
    return ["get", str(runs), *span, organization.filled.prefix, organization.authorization]


def _variables(site: Site, runs: int) -> dict[str, str | int]:
    return {
        "organization": site.organization.actor.organization_id,
        "public_url": site.web.url,
        "today": datetime.now(UTC).date().isoformat(),
        "prefix": site.organization.filled.prefix,
        "first": FIRST_NUMBER,
        "last": FIRST_NUMBER + site.organization.filled.leads - 1,
    }


def _request(site: Site) -> tuple[str, str, bytes]:
    return "GET", f"/api/v1/lead/{site.organization.filled.prefix}{FIRST_NUMBER}/", b""


BENCHMARKS = (
    Benchmark(
        name="get",
        title="get one lead",
        reference="get_lead",
        answer=None,
        load=_load,
        variables=_variables,
        request=_request,
        most_statements=1,
        goals=(Goal("ratio", 0.55), Goal("python_us", 180, at_most=True)),
    ),
)
