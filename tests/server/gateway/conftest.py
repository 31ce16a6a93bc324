from collections.abc import Iterator

import pytest
from server.gateway.oauth_app import Yard, open_yard


@pytest.fixture
def yard(cluster: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    with open_yard(cluster, monkeypatch) as opened:
        yield opened
