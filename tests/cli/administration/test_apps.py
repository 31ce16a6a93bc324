"""The commands that register, list and end programs."""

import json

import pytest
from cli.administration.running import command
from harness import Organization, make_organization

from clinch.cli.administration.telling import CommandError


def test_a_program_is_registered_listed_and_ended(
    organization: Organization, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = "https://app.example/back"
    command(organization, "app create", name="Reports", redirect_uri=[uri], public=False)
    made = json.loads(capsys.readouterr().out)
    assert set(made) == {"client_id", "client_secret"}
    command(organization, "app list")
    assert json.loads(capsys.readouterr().out) == [
        {"client_id": made["client_id"], "name": "Reports", "redirect_uris": [uri]}
    ]
    other = make_organization(organization.program, "Quay Sales")
    with pytest.raises(CommandError, match="there is no app"):
        command(other, "app revoke", id=made["client_id"])
    command(organization, "app revoke", id=made["client_id"])
    capsys.readouterr()
    command(organization, "app list")
    assert json.loads(capsys.readouterr().out) == []
    with pytest.raises(CommandError, match="A redirect URI is https"):
        command(organization, "app create", name="x", redirect_uri=["http://x"], public=True)
