"""Reading a form that ends with a file: the fields, then the content piece by piece."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from clinch.resources.errors import BadRequest

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_OVERHEAD = 100_000
"""The bytes that a form may have beside the content of its file."""

_MOST_FIELDS = 50
_MOST_IN_FIELD = 20_000

BAD_FORM = "The request is not a form (multipart/form-data) that ends with a file."


class FileForm:
    """A multipart/form-data body. Its fields are read first, by `fields`, and then the part that is
    called `file`, by `content`; what follows that is passed over."""

    def __init__(self, content_type: bytes, body: AsyncIterator[bytes]) -> None:
        """Raises BadRequest."""
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise BadRequest(BAD_FORM)
        self._body = body
        self._parts = _Parts()
        try:
            self._parser = MultipartParser(boundary, self._parts.callbacks())
        except FormParserError:
            raise BadRequest(BAD_FORM) from None

    async def fields(self) -> dict[str, str]:
        """The fields that come before the file; raises BadRequest."""
        while not self._parts.in_file:
            await self._read_on()
        return self._parts.fields

    async def content(self) -> AsyncIterator[bytes]:
        """The content of the file, as it comes; raises BadRequest where it breaks off."""
        while True:
            if self._parts.content:
                yield bytes(self._parts.content)
                self._parts.content.clear()
            if self._parts.file_ended:
                return
            await self._read_on()

    async def _read_on(self) -> None:
        try:
            self._parser.write(await anext(self._body))
        except (FormParserError, StopAsyncIteration):
            raise BadRequest(BAD_FORM) from None


class _Parts:
    """What the parser has found: the fields, and as much of the file as nobody has taken yet."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.content = bytearray()
        self.in_file = self.file_ended = False
        self._name: str | None = None
        self._header, self._value = bytearray(), bytearray()

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin,
            "on_header_begin": self._header.clear,
            "on_header_field": self._read_header,
            "on_header_value": self._read_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._read_data,
            "on_part_end": self._end,
        }

    def _begin(self) -> None:
        self._name = None
        self._value.clear()

    def _read_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _read_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        if len(self._value) > _MOST_IN_FIELD:
            raise BadRequest(BAD_FORM)

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._value.clear()

    def _end_headers(self) -> None:
        if self._name is None or len(self.fields) == _MOST_FIELDS:
            raise BadRequest(BAD_FORM)
        self.in_file = self.in_file or self._name == "file"

    def _read_data(self, data: bytes, start: int, end: int) -> None:
        if self.in_file and not self.file_ended:
            self.content += data[start:end]
        elif not self.in_file:
            self._read_value(data, start, end)

    def _end(self) -> None:
        if self.in_file:
            self.file_ended = True
        else:
            self.fields[self._name or ""] = self._value.decode("utf-8", "replace")
