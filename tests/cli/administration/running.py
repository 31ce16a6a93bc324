"""Runs a command of the administration within the program that the tests serve."""

from typing import Any

from harness import Organization

from clinch.cli.administration.commands import administer
from clinch.resources.store import Store


def command(
    organization: Organization, words: str, store: Store | None = None, /, **arguments: Any
) -> None:
    program = organization.program
    told = {"organization": organization.system.organization, "json": True, **arguments}
    program.run(administer(store or program.store, words, told))
