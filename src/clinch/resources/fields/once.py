"""Fields that are answered once."""

from typing import Any

from clinch.resources.fields.field import Field, Output


class ToldOnce(Field):
    """A value that the answer to a write has, by `Work.tell`, and that is kept nowhere: a secret.

    Whoever reads the object later finds null.
    """

    stored = False

    def __init__(self, **rest: Any) -> None:
        super().__init__(writable="never", nullable=True, **rest)

    def output(self, row: str, out: Output) -> str:
        return "null::text"
