"""Filled organizations: one for all tests that only read, one for those of a module that write."""

import pytest
from gateway.actions.scene import Scene, make_scene
from harness import Program, make_organization


@pytest.fixture(scope="session")
def filled(program: Program) -> Scene:
    """Read from it only."""
    return make_scene(make_organization(program))


@pytest.fixture(scope="module")
def scene(program: Program) -> Scene:
    """A filled organization whose rows tests may change, each its own."""
    return make_scene(make_organization(program))
