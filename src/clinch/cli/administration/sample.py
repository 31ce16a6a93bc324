"""The sample organization of `clinch up --sample`."""

import json
import sys
from pathlib import Path
from typing import Any

from clinch.cli.administration.telling import Arguments
from clinch.crm.sample.organization import create_sample
from clinch.identity.organizations import delete_organization, find_organization
from clinch.resources.store import Store

SAMPLE_FILE = "sample.json"


async def sample(store: Store, arguments: Arguments) -> int:
    """Make the sample organization unless it is there; its keys are kept in the home.

    One whose making was broken off is made anew.
    """
    path = Path(arguments["home"]) / SAMPLE_FILE
    if path.exists():
        known = json.loads(path.read_text())
        found = await find_organization(store, known["organization_id"])
        if found is not None and "api_key" in known:
            return 0
        if found is not None:
            await delete_organization(store, found.organization_id)
    print("making the sample organization", file=sys.stderr)
    _keep(path, await create_sample(store, begun=lambda id: _keep(path, {"organization_id": id})))
    return 0


def _keep(path: Path, facts: dict[str, Any]) -> None:
    """Write them so that the file is whole whenever the program is killed."""
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(json.dumps(facts))
    part.replace(path)
