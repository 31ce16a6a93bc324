"""The commands about organizations, and how one is named."""

import json

import pytest
from cli.administration.running import command
from harness import Organization, make_organization

from clinch.cli.administration.telling import CommandError


def test_organizations_are_listed(
    organization: Organization, capsys: pytest.CaptureFixture[str]
) -> None:
    other = make_organization(organization.program, "Quay Sales")
    command(organization, "organization list")
    listed = json.loads(capsys.readouterr().out)
    for id, name in (
        (organization.system.organization, "Harbour Sales"),
        (other.system.organization, "Quay Sales"),
    ):
        assert {"id": id, "name": name} in listed
    command(organization, "organization list", json=False)
    lines = capsys.readouterr().out.splitlines()
    assert f"{other.system.organization}  Quay Sales" in lines
    assert len(lines) == len(listed)


@pytest.mark.parametrize("named", [None, "Elsewhere"])
def test_who_names_no_organization_is_told_what_lists_them(
    organization: Organization, named: str | None
) -> None:
    make_organization(organization.program)
    with pytest.raises(CommandError, match="which `clinch organization list` tells"):
        command(organization, "key list", organization=named)
