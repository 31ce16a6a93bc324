"""The commands that make a connector of a document, list and remove it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import Organization

from clinch.cli.administration.commands import administer
from clinch.cli.administration.telling import CommandError
from clinch.cli.main import main

DOCUMENT = {
    "openapi": "3.0.0",
    "info": {"title": "Boat Yard"},
    "servers": [{"url": "https://api.boats.example"}],
    "paths": {
        "/boats": {"get": {"operationId": "listBoats", "responses": {}}},
        "/boats/{id}": {"get": {"operationId": "getBoat", "responses": {}}},
    },
}


def command(organization: Organization, words: str, **arguments: Any) -> None:
    plain: dict[str, Any] = {
        "key": None,
        "name": None,
        "domain": [],
        "base_url": None,
        "json": True,
    }
    told = plain | {"organization": organization.system.organization} | arguments
    organization.program.run(administer(organization.program.store, words, told))


def listed(organization: Organization, capsys: pytest.CaptureFixture[str]) -> Any:
    capsys.readouterr()
    command(organization, "connector list")
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("write", [json.dumps, yaml.safe_dump])
def test_a_document_is_added_listed_and_removed(
    organization: Organization, capsys: pytest.CaptureFixture[str], tmp_path: Path, write: Any
) -> None:
    path = tmp_path / "boats"
    path.write_text(write(DOCUMENT))
    command(organization, "connector add", source=str(path), domain=["boats.example"])
    told = json.loads(capsys.readouterr().out)
    skipped = told.pop("skipped")
    assert skipped == ["GET /boats/{id}: nothing says what id is"]
    assert told == {
        "id": told["id"],
        "key": "boat-yard",
        "name": "Boat Yard",
        "domains": ["boats.example"],
        "baseUrl": "https://api.boats.example",
        "options": ["none"],
        "operations": 1,
    }
    assert listed(organization, capsys) == [told]
    command(organization, "connector remove", connector="boat-yard")
    assert json.loads(capsys.readouterr().out) == {"removed": "boat-yard"}
    assert listed(organization, capsys) == []


def test_what_cannot_be_added_says_why(
    organization: Organization, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "boats.json"
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        command(organization, "connector add", source=str(path))
    path.write_text('{"swagger": "2.0"}')
    with pytest.raises(CommandError, match=r"no OpenAPI document of version 3\.0 or 3\.1"):
        command(organization, "connector add", source=str(path))
    path.write_text(json.dumps(DOCUMENT))
    with pytest.raises(CommandError, match="close is the key of a connector"):
        command(organization, "connector add", source=str(path), key="close")
    with pytest.raises(CommandError, match="key: has small letters"):
        command(organization, "connector add", source=str(path), key="../x")
    with pytest.raises(CommandError, match=r"domains\[0\]"):
        command(organization, "connector add", source=str(path), domain=["*.com"])
    with pytest.raises(CommandError, match="No imported connector is called close"):
        command(organization, "connector remove", connector="close")
    assert listed(organization, capsys) == []


def test_a_command_of_both_is_told_of_once(capsys: pytest.CaptureFixture[str]) -> None:
    """`connector add` is a command of the gateway as well, for who is elsewhere."""
    assert main(["--help"]) == 0
    assert capsys.readouterr().out.count("  connector add ") == 1


def test_the_commands_tell_what_they_take(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["connector", "add", "--help"])
    assert left.value.code == 0
    assert "--base-url" in capsys.readouterr().out
