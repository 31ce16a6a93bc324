"""Cursors of lists that are ordered by time and id: what a page told leads to those that follow."""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from clinch.gateway.errors import InvalidRequest


class Placed(Protocol):
    """What has its place in such a list."""

    @property
    def id(self) -> str: ...

    @property
    def created_at(self) -> datetime: ...


def cursor_after(items: Sequence[Placed], *, more: bool) -> str | None:
    """The cursor that leads to what follows these, if there is more."""
    if not more:
        return None
    text = f"{items[-1].created_at.isoformat()} {items[-1].id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str | None) -> tuple[datetime, str] | None:
    """After which row a page begins; None for the first, which clients also call "0".

    Raises InvalidRequest.
    """
    if cursor in (None, "", "0"):
        return None
    try:
        time, id = base64.b64decode(f"{cursor}==", b"-_").decode().split(" ")
        moment = datetime.fromisoformat(time)
        if moment.tzinfo is None or not id.isascii() or not id.isprintable():
            raise ValueError
    except ValueError:
        raise InvalidRequest("cursor is one that a page before this one told.") from None
    return moment, id
