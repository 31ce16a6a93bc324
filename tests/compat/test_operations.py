"""Each documented operation is tried on the program; docs/compatibility.md says what came of it.

Where the page is out of date, `make compatibility` writes it.
"""

import itertools
import os
from pathlib import Path

import pytest
from compat.operations import Operation, Trial, Verdict, documented
from harness import make_organization, serve
from recording import RecordingDatabase
from tenancy import faults

from clinch.program import declarations

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"

HEAD = """\
# Compatibility

Every operation of Close's public REST API, as its OpenAPI document of June 2026 lists them, and how
far this server is with it. `make compatibility` writes this page: each operation is tried on a
running server. The tests do the same, and fail where the page says something else.

- **done**: a request is answered with the documented status and every documented key, and one that
  is wrong, or is not allowed, is refused and changes nothing.
- **partial**: it is there, but not all of that holds; the third column says what is missing.
- **absent**: there is no such operation yet; the server answers 404 or 405.

The documented keys are those of the answer itself, not of the objects in it. What Close answers
only when `_fields` names it is not counted.

| | operations |
|---|---|
{counts}
"""


@pytest.mark.timeout(300)
def test_the_page_on_compatibility_says_what_the_program_does(cluster: str) -> None:
    with serve(cluster, declarations, connect=RecordingDatabase) as program:
        trial = Trial(make_organization(program), make_organization(program).admin)
        # What is deleted last cannot be missing before.
        tried = sorted(documented(), key=lambda operation: operation.method == "DELETE")
        verdicts = {operation: trial.judge(operation) for operation in tried}
        database = program.store.database
        assert isinstance(database, RecordingDatabase)
        asked = list(database.asked.values())
    assert {one.sql: wrong for one in asked if (wrong := faults(one))} == {}
    text = page([verdicts[operation] for operation in documented()])
    if os.environ.get("CLINCH_WRITE_COMPATIBILITY"):
        PAGE.write_text(text)
    assert PAGE.read_text() == text, "make compatibility writes it anew"


def test_every_operation_is_documented_once() -> None:
    operations = documented()
    assert len({(one.method, one.path) for one in operations}) == len(operations) == 286
    assert {one.status for one in operations} == {200, 201, 204}


def page(verdicts: list[Verdict]) -> str:
    counts = "\n".join(
        f"| {standing} | {sum(v.standing == standing for v in verdicts)} |"
        for standing in ("done", "partial", "absent")
    )
    parts = [HEAD.format(counts=counts)]
    for area, group in itertools.groupby(verdicts, key=lambda verdict: _area(verdict.operation)):
        rows = "".join(_row(verdict) for verdict in group)
        parts.append(
            f"\n## {area}\n\n| operation | | missing | remarks |\n|---|---|---|---|\n{rows}"
        )
    return "".join(parts)


def _row(verdict: Verdict) -> str:
    one = verdict.operation
    return f"| `{one.method} {one.path}` | {verdict.standing} | {verdict.why} | {one.note} |\n"


def _area(operation: Operation) -> str:
    return operation.path.strip("/").split("/")[0].replace("_", " ").capitalize()
