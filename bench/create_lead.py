"""A new lead with one contact, who has an address and a number."""

import json
import time
from datetime import UTC, datetime

from bench.benchmark import Benchmark, Goal, Site
from bench.fill import FIRST_NUMBER

# wrk puts a number of seven digits in the place of %d.
BODY = {
    "name": "Juniper-%d",
    "url": "https://juniper-%d.example",
    "contacts": [
        {
            "name": "Grace Okafor",
            "title": "Buyer",
            "emails": [{"email": "g.%d@juniper-%d.example", "type": "office"}],
            "phones": [{"phone": "+1415%d", "type": "office"}],
        }
    ],
}


def body(number: int) -> bytes:
    return json.dumps(BODY).replace("%d", str(number)).encode()


def run_id() -> str:
    """What makes the reference's ids unlike those of any other run; 13 characters, in time."""
    return f"{time.time_ns() // 1_000_000:013}"


def _load(site: Site, runs: int) -> list[str]:
    span = ["2000000", "9999999"]
    return ["create", str(runs), *span, "", site.organization.authorization, json.dumps(BODY)]


def _variables(site: Site, runs: int) -> dict[str, str | int]:
    run = run_id()
    return {
        "organization": site.organization.actor.organization_id,
        "user": site.organization.actor.user_id or "",
        "credential": site.organization.credential_id,
        "run": run,
        "count": FIRST_NUMBER,
        "prefix": f"lead_{run}",
        "public_url": site.web.url,
        "today": datetime.now(UTC).date().isoformat(),
    }


BENCHMARKS = (
    Benchmark(
        name="create",
        title="create lead and contact",
        reference="create_lead",
        answer="get_lead",
        load=_load,
        variables=_variables,
        request=lambda _: ("POST", "/api/v1/lead/", body(4_155_550)),
        most_statements=4,
        goals=(Goal("ratio", 0.4),),
    ),
)
