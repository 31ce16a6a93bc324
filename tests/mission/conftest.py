"""Clinch on a machine, once a test process; a shell, a person and a browser for a test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium.browser import Window, chromium
from mission.machine import Machine, Shell, User, started
from server.oauth.browser import Browser


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with started(tmp_path_factory.mktemp("machine")) as running:
        yield running


@pytest.fixture
def shell(machine: Machine, tmp_path: Path) -> Shell:
    return Shell(machine, tmp_path, {})


@pytest.fixture(scope="module")
def person(machine: Machine) -> User:
    """Somebody whose connections only the tests of one file make."""
    return machine.user()


@pytest.fixture(params=["chromium", "chromium-without-javascript", "forms"])
def browse(request: pytest.FixtureRequest, machine: Machine) -> Iterator[Callable[[], Any]]:
    """Opens a browser that nobody is signed in with: a real one, or what sends plain forms. In the
    end the real one must have had nothing to complain of."""
    if request.param == "forms":
        yield lambda: Browser(machine.url)
        return
    with chromium() as browser:
        windows: list[Window] = []

        def open() -> Window:
            windows.append(Window(browser, javascript=request.param == "chromium"))
            return windows[-1]

        yield open
        assert [window.complaints for window in windows] == [[] for _ in windows]
