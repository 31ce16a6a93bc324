"""The sample organization as `clinch up --sample` makes it."""

import json
from pathlib import Path

import pytest
from cli.administration.running import command
from harness import Api, Organization

from clinch.cli.administration.sample import SAMPLE_FILE
from clinch.crm.sample.organization import create_sample
from clinch.identity.organizations import find_organization


def test_a_sample_whose_making_was_broken_off_is_made_anew(
    organization: Organization, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program, begun = organization.program, list[str]()

    class Killed(Exception):
        pass

    def die(id: str) -> None:
        begun.append(id)
        raise Killed

    with pytest.raises(Killed):
        program.run(create_sample(program.store, begun=die))
    sample = tmp_path / SAMPLE_FILE
    sample.write_text(json.dumps({"organization_id": begun[0]}))
    for _ in range(2):
        command(organization, "sample", home=str(tmp_path))
        made = json.loads(sample.read_text())
        begun.append(made["organization_id"])
    assert begun[0] != begun[1] == begun[2]
    assert program.run(find_organization(program.store, begun[0])) is None
    assert Api(program, made["api_key"], "").get("/lead/")["total_results"] == 300
    assert sample.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [sample]
    assert capsys.readouterr().err.count("making the sample organization\n") == 1
