"""The commands that make, list and end API keys."""

import json

import pytest
from cli.administration.running import command
from harness import TEST, Organization

from clinch.identity.api_keys import create_key


def test_every_key_is_listed(
    organization: Organization, capsys: pytest.CaptureFixture[str]
) -> None:
    program, user = organization.program, organization.admin.user_id

    async def make() -> list[str]:
        return [
            await create_key(program.store, organization.system, user, str(number), TEST)
            for number in range(201)
        ]

    made = {key.partition(".")[0] for key in program.run(make())}
    command(organization, "key list")
    listed = [key["id"] for key in json.loads(capsys.readouterr().out)]
    assert len(listed) == len(set(listed)) == 202
    assert made < set(listed)
