"""Files: asking for an upload, sending the content, and fetching it.

`POST /files/upload/` below the API answers where to send a file and where it will be. The content
goes to `/go/upload/`, authorized by the fields of that answer alone. What was sent is fetched below
`/go/file/`, with a key or a session.
"""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import quote

from starlette.requests import ClientDisconnect
from starlette.requests import Request as PageRequest
from starlette.responses import Response as PageResponse
from starlette.routing import Route as PageRoute

from clinch.db.database import CredentialChanged
from clinch.files.access import Found, find_persisted, find_temporary
from clinch.files.storage import read_file, too_large, write_file
from clinch.files.tickets import MAX_SIZE, fields_of, make_ticket, read_ticket
from clinch.resources.actor import OperationClass
from clinch.resources.errors import ApiError, Forbidden, Invalid, ValidationError
from clinch.resources.fields import ContentType, FileName
from clinch.resources.files import temporary_path
from clinch.resources.store import Store
from clinch.server.form import BAD_FORM, MAX_OVERHEAD, FileForm
from clinch.server.http import Headers, Request, Response, Stream, json_response
from clinch.server.routes import TEXT, About, Route, has
from clinch.server.session import answer, busy, headers_of
from clinch.server.unavailable import UNAVAILABLE
from clinch.vault.vault import Vault

_UPLOAD = "/go/upload/"

_ASKED = {"filename": FileName(required=True), "content_type": ContentType(required=True)}

_UPLOAD_ASKED = About(
    "upload_file",
    "Ask where to send a file",
    body=has(("filename", "content_type"), filename=TEXT | {"maxLength": 255}, content_type=TEXT),
    answer=has(
        ("upload", "download"),
        upload=has(
            ("url", "fields"), url=TEXT, fields={"type": "object", "additionalProperties": TEXT}
        )
        | {
            "description": "Where to POST the content, as multipart/form-data: these fields, in"
            " their order, then the content as `file`. It is answered with 201."
        },
        download=has(("url",), url=TEXT)
        | {"description": "Where it is then, and what an attachment's `url` takes, for a day."},
    ),
)

# Whatever a file is said to be, nothing of it runs, and no page can take it for script or style.
_HARMLESS = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"cache-control", b"private, no-store"),
    (b"accept-ranges", b"bytes"),
]

_RANGE = re.compile(rb"bytes=(\d{0,18})-(\d{0,18})")


def file_routes(store: Store, vault: Vault) -> list[Route]:
    """Asking for an upload."""
    public_url = store.declared.public_url

    async def upload(request: Request) -> Response:
        actor = request.actor
        if OperationClass.WRITE not in actor.grant:
            raise Forbidden(f"This grant does not allow {OperationClass.WRITE} operations.")
        filename, content_type = _asked(request)
        ticket = make_ticket(actor, filename, content_type)
        download = public_url + temporary_path(ticket.file.user_id) + ticket.address
        return json_response(
            {
                "upload": {"url": public_url + _UPLOAD, "fields": fields_of(ticket, vault)},
                "download": {"url": download},
            }
        )

    return [Route("POST", "files/upload", upload, _UPLOAD_ASKED)]


def _asked(request: Request) -> tuple[str, str]:
    values, problems = {}, {}
    for key, field in _ASKED.items():
        try:
            values[key] = field.parse(request.body.get(key), request.actor)
        except Invalid as error:
            problems[key] = error.problem
    if problems:
        raise ValidationError(problems)
    return values["filename"], values["content_type"]


def upload_routes(store: Store, vault: Vault) -> list[PageRoute]:
    """Sending the content, as a form that ends with it."""

    async def receive(request: PageRequest) -> PageResponse:
        headers, now = headers_of(request), datetime.now(UTC)
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > MAX_SIZE + MAX_OVERHEAD:
            raise too_large(MAX_SIZE)
        form = FileForm(headers.get(b"content-type", b""), _bounded(request.stream()))
        ticket = read_ticket(await form.fields(), vault, now)
        await write_file(store.database, ticket.tenant, ticket.file, form.content(), now)
        path = temporary_path(ticket.file.user_id) + ticket.address
        return answer({"url": store.declared.public_url + path}, 201)

    async def respond(request: PageRequest) -> PageResponse:
        try:
            return await receive(request)
        except ApiError as error:
            return answer(error.body, error.status)
        except CredentialChanged:
            return answer({"error": "Who asked for this upload may not make it any more."}, 403)
        except ClientDisconnect:
            return answer({"error": BAD_FORM}, 400)
        except UNAVAILABLE as error:
            return busy(error, _UPLOAD)

    return [PageRoute(at, respond, methods=["POST"]) for at in (_UPLOAD.rstrip("/"), _UPLOAD)]


async def _bounded(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The body, broken off where it is longer than any that can be good."""
    length = 0
    async for piece in body:
        length += len(piece)
        if length > MAX_SIZE + MAX_OVERHEAD:
            raise too_large(MAX_SIZE)
        yield piece


def download_routes(store: Store) -> list[Route]:
    """Fetching a file, below `/go/file/`."""

    async def temporary(request: Request) -> Response:
        user_id, id, _ = request.arguments
        found = await find_temporary(store, request.actor, user_id, id)
        return _download(store, request, found)

    async def persisted(request: Request) -> Response:
        organization, object_type, object_id, id, _ = request.arguments
        found = await find_persisted(store, request.actor, organization, object_type, object_id, id)
        return _download(store, request, found)

    return [
        Route("GET", "temporary/{}/{}/{}", temporary),
        Route("GET", "persisted/{}/{}/{}/{}/{}", persisted),
    ]


def _download(store: Store, request: Request, found: Found) -> Response:
    kind = "inline" if found.image_type is not None else "attachment"
    headers = [*_HARMLESS, (b"content-disposition", _disposition(kind, found.filename))]
    content_type = (found.image_type or "application/octet-stream").encode()
    first, last, status = 0, found.size - 1, 200
    wanted = _range(request.headers, found.size)
    if wanted is not None:
        first, last = wanted
        if first > last:
            headers.append((b"content-range", b"bytes */%d" % found.size))
            return Response(b'{"error": "The file has no such range."}', 416, headers)
        headers.append((b"content-range", b"bytes %d-%d/%d" % (first, last, found.size)))
        status = 206
    pieces = read_file(store.database, request.actor.tenant, found.id, first, last)
    return Response(Stream(pieces, last - first + 1), status, headers, content_type)


def _range(headers: Headers, size: int) -> tuple[int, int] | None:
    """The first and the last byte that are asked for; None for the whole file, and where several
    ranges are, or one under a condition. Of a range that the file does not have the first is beyond
    the last."""
    found = _RANGE.fullmatch(headers.get(b"range", b"").strip())
    if found is None or b"if-range" in headers or found.group() == b"bytes=-":
        return None
    first, last = found.groups()
    if not first:
        return max(size - int(last), 0), size - 1
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last or size), size - 1)


def _disposition(kind: str, filename: str) -> bytes:
    """How a browser is told the name: in full, and in ASCII for those that do not read that."""
    plain = re.sub(r'[^\x20-\x7e]|["\\%]', "_", filename)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}".encode()
