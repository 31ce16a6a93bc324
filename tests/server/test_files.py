"""Files over HTTP: asking for an upload, sending the content, fetching it, and what is refused."""

import asyncio
import base64
import re
import socket
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import requests
from harness import SECRET_KEY, Api, Organization, make_organization, rows_of, serve
from recording import RecordingDatabase
from tenancy import faults
from uploads import PNG, Json, ask, expiring, fetch, limited, send, uploaded

from clinch.db.database import Tenant
from clinch.files.storage import PART
from clinch.files.sweep import sweep_files
from clinch.files.tickets import MAX_SIZE
from clinch.program import application, declarations
from clinch.resources.files import TEMPORARY_FOR
from clinch.server.form import BAD_FORM
from clinch.vault.vault import Vault

NO_FILE = {"error": "Empty query: File matching query does not exist."}
HTML = b"<!doctype html><script>alert(document.cookie)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def files_of(organization: Organization) -> dict[str, int]:
    """How many rows the organization has in the tables of files."""
    rows = rows_of(organization)
    return {name: len(rows[name]) for name in ("file", "file_part", "file_use")}


NOTHING = {"file": 0, "file_part": 0, "file_use": 0}


# Up and down


def test_what_is_asked_for_is_answered_as_the_reference_has_it(api: Api) -> None:
    told = ask(api)
    assert told.keys() == {"upload", "download"}
    assert told["upload"].keys() == {"url", "fields"}
    fields = told["upload"]["fields"]
    assert (fields["Content-Type"], fields["success_action_status"]) == ("application/pdf", "201")
    place, id, name = fields["key"].rsplit("/", 2)
    assert (place, name) == (f"temporary/user/{api.user_id}", "quote.pdf")
    url = f"{api.program.url}/go/file/temporary/{api.user_id}/{id}/quote.pdf/"
    assert told["download"] == {"url": url}


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 2 * PART + 7])
def test_a_file_comes_down_as_it_went_up(api: Api, size: int) -> None:
    content = bytes(range(251)) * (size // 251 + 1)
    url = uploaded(api, content[:size])
    got = fetch(api, url)
    assert (got.status_code, got.content == content[:size]) == (200, True)
    assert got.headers["content-length"] == str(size)
    assert got.headers["x-request-id"].startswith("req_")


def test_content_that_looks_like_a_boundary_is_content(api: Api) -> None:
    content = b"\r\n--" + b"-" * 70 + b"\r\n\r\n--\r\n\x00\xff"
    assert fetch(api, uploaded(api, content)).content == content


def test_addresses_begin_with_the_public_url_whatever_the_host_header_says(api: Api) -> None:
    api.headers["host"] = "evil.example"
    told = ask(api)
    assert told["upload"]["url"] == f"{api.program.url}/go/upload/"
    assert told["download"]["url"].startswith(f"{api.program.url}/go/file/")
    assert "evil.example" not in str(told)


def test_a_session_fetches_as_a_key_does(organization: Organization) -> None:
    url = uploaded(organization.admin)
    cookie = {"clinch_session": organization.admin.key}
    assert requests.get(url, cookies=cookie, timeout=10).content == b"a quote"


@pytest.mark.parametrize(
    ("wanted", "status", "told", "first", "last"),
    [
        ("bytes=0-0", 206, "0-0", 0, 0),
        (f"bytes={PART - 2}-{PART + 1}", 206, f"{PART - 2}-{PART + 1}", PART - 2, PART + 1),
        (f"bytes={PART}-", 206, f"{PART}-{PART + 4}", PART, PART + 4),
        (f"bytes={PART}-999999999999", 206, f"{PART}-{PART + 4}", PART, PART + 4),
        ("bytes=-3", 206, f"{PART + 2}-{PART + 4}", PART + 2, PART + 4),
        ("bytes=-99999999", 206, f"0-{PART + 4}", 0, PART + 4),
        ("bytes=5-2", 200, None, 0, PART + 4),
        ("bytes=0-0,2-2", 200, None, 0, PART + 4),
        ("bytes=-", 200, None, 0, PART + 4),
        ("lines=0-1", 200, None, 0, PART + 4),
        (f"bytes={PART + 5}-", 416, "*", 0, -1),
        ("bytes=-0", 416, "*", 0, -1),
    ],
)
def test_a_part_of_a_file_can_be_asked_for(
    ranged: tuple[Api, str, bytes], wanted: str, status: int, told: str, first: int, last: int
) -> None:
    api, url, content = ranged
    got = fetch(api, url, headers={"Range": wanted})
    assert got.status_code == status
    expected = f"bytes {told}/{len(content)}" if told else None
    assert got.headers.get("content-range") == expected
    if status == 416:
        assert got.json() == {"error": "The file has no such range."}
    else:
        assert got.content == content[first : last + 1]
    head = fetch(api, url, "HEAD", {"Range": wanted})
    assert (head.status_code, head.content) == (status, b"")
    assert head.headers["content-length"] == got.headers["content-length"]


@pytest.fixture
def ranged(api: Api) -> tuple[Api, str, bytes]:
    """A file of five bytes more than a part."""
    content = bytes(range(256)) * (PART // 256) + b"more!"
    return api, uploaded(api, content), content


def test_a_range_under_a_condition_is_the_whole_file(api: Api) -> None:
    got = fetch(api, uploaded(api), headers={"Range": "bytes=0-1", "If-Range": '"x"'})
    assert (got.status_code, got.content) == (200, b"a quote")


# Who may


def test_what_was_only_uploaded_is_its_users_alone(organization: Organization) -> None:
    url = uploaded(organization.admin)
    assert fetch(organization.admin, url).status_code == 200
    colleague = organization.member("admin")
    mine = url.replace(organization.admin.user_id, colleague.user_id)
    for other in (url, mine):
        refused = fetch(colleague, other)
        assert (refused.status_code, refused.json()) == (404, NO_FILE)
    for headers in ({}, {"Authorization": "Basic bm9ib2R5Og=="}, {"Cookie": "clinch_session=x"}):
        assert requests.get(url, headers=headers, timeout=10).status_code == 401


def test_a_file_is_never_reached_from_another_organization(organization: Organization) -> None:
    url = uploaded(organization.admin, b"the secret")
    stranger = make_organization(organization.program, "North Foods").admin
    mine = url.replace(organization.admin.user_id, stranger.user_id)
    for other in (url, mine):
        for method in ("GET", "HEAD"):
            refused = fetch(stranger, other, method)
            assert (refused.status_code, b"secret" in refused.content) == (404, False)


def test_a_revoked_key_fetches_nothing(organization: Organization) -> None:
    member = organization.member("user")
    url = uploaded(member)
    assert fetch(member, url).status_code == 200
    organization.admin.delete(f"/api_key/{member.key.partition('.')[0]}/")
    assert fetch(member, url).status_code == 401


def test_what_was_uploaded_is_there_for_a_day(organization: Organization) -> None:
    url = uploaded(organization.admin)
    moved_back(organization, TEMPORARY_FOR + timedelta(seconds=1))
    assert fetch(organization.admin, url).json() == NO_FILE


def moved_back(organization: Organization, by: timedelta) -> None:
    """Let the organization's uploads be so much older."""

    async def move() -> None:
        tenant = Tenant(organization.system.organization_id)
        async with organization.program.store.database.tenant(tenant) as transaction:
            await transaction.execute(
                "update file set uploaded_at = uploaded_at - $2::interval"
                " where organization_id = $1",
                tenant.organization_id,
                by,
            )

    organization.program.run(move())


@pytest.mark.parametrize(
    "path",
    [
        "/go/file/",
        "/go/file/temporary/",
        "/go/file/temporary/{user}/{file}",
        "/go/file/temporary/{user}/{file}/x/y",
        "/go/file/temporary/{user}/file_unknown/x",
        "/go/file/temporary/{user}/%00/x",
        "/go/file/temporary/{user}/..%2f{file}/x",
        "/go/file/temporary/{user}/{file}%00/x",
        "/go/file/../../etc/passwd",
        "/go/file/temporary/..%2f..%2fetc%2fpasswd/{file}/x",
        "/go/file/persisted/{orga}/file/{file}/{file}/x",
        "/go/file/persisted/{orga}/activity.note/%00/{file}/x",
        "/go/file/persisted/{orga}/activity.note/acti_unknown/{file}/x",
        "/go/file/persisted/{orga}/activity.note/acti_unknown/%00/x",
        "/go/file/persisted/{orga}/activity.call/acti_unknown/{file}/x",
        "/go/file/persisted/{orga}/%2e%2e/%2e%2e/{file}/x",
    ],
)
def test_no_other_address_leads_to_a_file(organization: Organization, path: str) -> None:
    api = organization.admin
    id = uploaded(api).split("/")[-3]
    named = {"user": api.user_id, "file": id, "orga": organization.system.organization}
    request = requests.Request(auth=(api.key, ""), method="GET", url=api.program.url)
    prepared = request.prepare()
    prepared.url = api.program.url + path.format(**named)
    refused = requests.Session().send(prepared, timeout=10)
    assert refused.status_code == 404
    assert refused.json().keys() == {"error"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_what_is_stored_is_not_changed_there(organization: Organization, method: str) -> None:
    url = uploaded(organization.admin)
    before = rows_of(organization)
    refused = requests.request(method, url, auth=(organization.admin.key, ""), json={}, timeout=10)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    assert rows_of(organization) == before


# How it is served


@pytest.mark.parametrize(
    ("content", "said", "served"),
    [
        (PNG, "image/png", "image/png"),
        (PNG, "application/octet-stream", "image/png"),
        (b"\xff\xd8\xff\xe0" + bytes(20), "image/jpeg", "image/jpeg"),
        (b"GIF89a" + bytes(20), "text/html", "image/gif"),
        (b"GIF87a" + bytes(20), "image/gif", "image/gif"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 " + bytes(20), "image/webp", "image/webp"),
        (HTML, "image/png", None),
        (HTML, "text/html", None),
        (SVG, "image/svg+xml", None),
        (SVG, "image/gif", None),
        (b"alert(1)", "text/javascript", None),
        (b"RIFF\x10\x00\x00\x00WAVE", "image/webp", None),
        (b" " + PNG, "image/png", None),
        (b"\x89PNG", "image/png", None),
        (b"", "image/png", None),
        (b"BM" + bytes(20), "image/bmp", None),
        (b"%PDF-1.7", "application/pdf", None),
    ],
)
def test_only_an_image_that_is_one_is_shown_in_a_page(
    api: Api, content: bytes, said: str, served: str | None
) -> None:
    url = uploaded(api, content, filename="x.png", content_type=said)
    for method in ("GET", "HEAD"):
        got = fetch(api, url, method).headers
        assert got["content-type"] == served or (got["content-type"], served) == (
            "application/octet-stream",
            None,
        )
        kind = got["content-disposition"].partition(";")[0]
        assert kind == ("attachment" if served is None else "inline")
        assert got["x-content-type-options"] == "nosniff"
        assert got["content-security-policy"] == "default-src 'none'; sandbox"
        assert got["cache-control"] == "private, no-store"


@pytest.mark.parametrize(
    "name",
    [
        "quote.pdf",
        'a"; filename="evil.html',
        "Angebot Größe 5%41.pdf",
        "见积书.pdf",
        "it's; x=y, z.txt",
        "👩‍💻.png",
        "a" * 255,
    ],
)
def test_a_browser_is_told_the_name_and_nothing_else(api: Api, name: str) -> None:
    got = fetch(api, uploaded(api, filename=name))
    told = re.fullmatch(
        r"attachment; filename=\"([\x20-\x7e]*)\"; filename\*=UTF-8''([\w.~%-]*)",
        got.headers["content-disposition"],
        re.ASCII,
    )
    assert told is not None
    plain, full = told.groups()
    assert unquote(full) == name
    assert len(plain) == len(name)
    assert not set('"\\%') & set(plain)


@pytest.mark.parametrize(
    "name",
    [
        None,
        "",
        "  ",
        3,
        ["a"],
        ".",
        "..",
        "../quote.pdf",
        "a/b",
        "a\\b",
        "/etc/passwd",
        "a\nb",
        "a\r\nX-Evil: 1",
        "a\x00.pdf",
        "a\x7f",
        "a\u0085b",
        "a\u2028b",
        "gnp.\u202eexe",
        "a" * 256,
    ],
)
def test_a_name_that_is_none_is_refused(organization: Organization, name: Any) -> None:
    body = {"filename": name, "content_type": "text/plain"}
    refused = organization.admin("POST", "/files/upload/", body)
    assert refused.status_code == 400
    assert refused.json()["field-errors"].keys() == {"filename"}
    assert files_of(organization) == NOTHING


@pytest.mark.parametrize(
    "content_type", [None, "", 3, "pdf", "text/", "/html", "text/html\r\nX: y", "a/b/c", "té/x"]
)
def test_a_content_type_that_is_none_is_refused(api: Api, content_type: Any) -> None:
    refused = api("POST", "/files/upload/", {"filename": "x", "content_type": content_type})
    assert refused.status_code == 400
    assert refused.json()["field-errors"].keys() == {"content_type"}


def test_a_body_without_anything_is_told_all_that_is_missing(api: Api) -> None:
    required = "This field is required."
    assert api("POST", "/files/upload/", {}).json() == {
        "errors": [],
        "field-errors": {"filename": required, "content_type": required},
    }


# Sending


@pytest.mark.parametrize(
    "other",
    [
        {"policy": None},
        {"policy": ""},
        {"policy": "x"},
        {"policy": "é"},
        {"policy": base64.urlsafe_b64encode(bytes(200)).decode()},
        {"key": None},
        {"key": "temporary/user/user_x/file_x/quote.pdf"},
        {"Content_Type": "text/html"},
        {"Content_Type": None},
        {"success_action_status": "200"},
    ],
)
def test_fields_that_were_not_answered_are_refused(
    organization: Organization, other: dict[str, str | None]
) -> None:
    refused = send(ask(organization.admin), b"x", **other)
    assert (refused.status_code, refused.json().keys()) == (403, {"error"})
    assert files_of(organization) == NOTHING


def test_a_policy_of_another_installation_or_altered_by_one_bit_is_refused(
    organization: Organization,
) -> None:
    told = ask(organization.admin)
    sealed = base64.urlsafe_b64decode(told["upload"]["fields"]["policy"])
    opened = Vault(SECRET_KEY).open(sealed, "upload")
    others = [Vault("ab" * 32).seal(opened, "upload"), Vault(SECRET_KEY).seal(opened, "elsewhere")]
    others += [bytes([*sealed[:at], sealed[at] ^ 1, *sealed[at + 1 :]]) for at in (0, 3, 9, -1)]
    for other in others:
        refused = send(told, b"x", policy=base64.urlsafe_b64encode(other).decode())
        assert refused.status_code == 403
    assert files_of(organization) == NOTHING
    assert send(told, b"x").status_code == 201


def test_a_policy_tells_its_holder_nothing(organization: Organization) -> None:
    told = ask(organization.admin)
    policy = base64.urlsafe_b64decode(told["upload"]["fields"]["policy"])
    for secret in (organization.system.organization_id, organization.admin.key.partition(".")[0]):
        assert secret.encode() not in policy
        assert secret not in str(told)


def test_an_upload_is_good_for_an_hour(organization: Organization) -> None:
    now = datetime.now(UTC)
    refused = send(expiring(organization.admin, now - timedelta(seconds=1)), b"x")
    assert refused.status_code == 403
    assert refused.json() == {"error": "The time for this upload is over. Please ask for another."}
    assert files_of(organization) == NOTHING
    assert send(expiring(organization.admin, now + timedelta(seconds=30)), b"x").status_code == 201


def test_a_key_that_was_revoked_meanwhile_uploads_nothing(organization: Organization) -> None:
    member = organization.member("user")
    told = ask(member)
    organization.admin.delete(f"/api_key/{member.key.partition('.')[0]}/")
    refused = send(told, b"x")
    assert (refused.status_code, refused.json().keys()) == (403, {"error"})
    assert files_of(organization) == NOTHING


def test_a_file_is_sent_once(organization: Organization) -> None:
    told = ask(organization.admin)
    assert send(told, b"a quote").status_code == 201
    before = rows_of(organization)
    refused = send(told, b"another")
    assert (refused.status_code, refused.json()) == (
        400,
        {"error": "This file was uploaded already, or is being sent just now."},
    )
    assert rows_of(organization) == before
    assert fetch(organization.admin, told["download"]["url"]).content == b"a quote"


def test_a_file_may_be_as_large_as_was_said_and_no_larger(organization: Organization) -> None:
    assert send(limited(organization.admin, 1000), bytes(1000)).status_code == 201
    before = rows_of(organization)
    refused = send(limited(organization.admin, 1000), bytes(1001))
    assert refused.json() == {"error": "The file is larger than 1000 bytes."}
    assert refused.status_code == 413
    refused = send(limited(organization.admin, 2 * PART), bytes(2 * PART + 1))
    assert refused.status_code == 413
    assert rows_of(organization) == before


@pytest.mark.parametrize("chunked", [False, True])
def test_a_file_that_is_much_too_large_is_refused(
    organization: Organization, *, chunked: bool
) -> None:
    told = ask(organization.admin)
    head, tail = form(told)

    def body() -> Iterator[bytes]:
        yield head
        for _ in range(MAX_SIZE // PART + 2):
            yield bytes(PART)
        yield tail

    data: Any = body() if chunked else b"".join(body())
    refused = requests.post(
        told["upload"]["url"], data=data, headers={"Content-Type": FORM}, timeout=60
    )
    assert refused.status_code == 413
    assert refused.json() == {"error": f"The file is larger than {MAX_SIZE} bytes."}
    assert files_of(organization) == NOTHING


FORM = "multipart/form-data; boundary=xyz"


def form(told: Json, name: str = "file") -> tuple[bytes, bytes]:
    """What comes before and after the content, in the body of a form."""
    parts = [
        f'--xyz\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
        for name, text in told["upload"]["fields"].items()
    ]
    file = f'--xyz\r\nContent-Disposition: form-data; name="{name}"; filename="x"\r\n\r\n'
    return ("".join(parts) + file).encode(), b"\r\n--xyz--\r\n"


def test_an_upload_that_breaks_off_leaves_nothing(organization: Organization) -> None:
    told = ask(organization.admin)
    head, _ = form(told)
    at = urlsplit(told["upload"]["url"])
    with socket.create_connection((at.hostname, at.port)) as connection:
        lines = f"POST {at.path} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\n"
        connection.sendall(f"{lines}Content-Length: {5 * PART}\r\n\r\n".encode() + head)
        connection.sendall(bytes(2 * PART + 5))
        until(lambda: files_of(organization)["file_part"] == 2)
    until(lambda: files_of(organization) == NOTHING)
    # It can be sent again.
    assert send(told, b"a quote").status_code == 201


def until(holds: Any) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("content_type", "change"),
    [
        (FORM, lambda body: body[:-12]),
        (FORM, lambda body: body[: len(body) // 2]),
        (FORM, lambda body: b""),
        (FORM, lambda body: body.replace(b'name="file"', b'name="other"')),
        (FORM, lambda body: body.replace(b'; name="file"', b"")),
        (FORM, lambda body: b"nonsense" + body),
        (FORM, lambda body: b'--xyz\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 60),
        (FORM, lambda body: body.replace(b"201", b"2" * 30_000)),
        (FORM, lambda body: body.replace(b"name=", b"x" * 30_000 + b"; name=", 1)),
        ("multipart/form-data; boundary=other", lambda body: body),
        ("multipart/form-data", lambda body: body),
        (f"multipart/form-data; boundary={'x' * 300}", lambda body: body),
        ("multipart/mixed; boundary=xyz", lambda body: body),
        ("application/x-www-form-urlencoded", lambda body: b"file=x"),
        ("application/json", lambda body: b"{}"),
        ("", lambda body: body),
    ],
)
def test_what_is_no_form_with_a_file_is_refused(
    organization: Organization, content_type: str, change: Any
) -> None:
    told = ask(organization.admin)
    head, tail = form(told)
    data, headers = change(head + b"a quote" + tail), {"Content-Type": content_type}
    refused = requests.post(told["upload"]["url"], data=data, headers=headers, timeout=10)
    assert (refused.status_code, refused.json()) == (400, {"error": BAD_FORM})
    assert files_of(organization) == NOTHING


def test_the_fields_come_before_the_file(organization: Organization) -> None:
    told = ask(organization.admin)
    fields = [(name, (None, text)) for name, text in told["upload"]["fields"].items()]
    files: Any = [("file", ("x", b"x")), *fields]
    refused = requests.post(told["upload"]["url"], files=files, timeout=10)
    assert refused.status_code == 403
    assert files_of(organization) == NOTHING


def test_sending_is_a_post(api: Api) -> None:
    assert requests.get(ask(api)["upload"]["url"], timeout=10).status_code == 405


def test_a_file_is_never_whole_in_memory(organization: Organization) -> None:
    """20 MB go up and come down through the program, in pieces as the network gives them."""
    program = organization.program
    app = application(program.store, Vault(SECRET_KEY))
    told = ask(organization.admin)
    head, tail = form(told)
    size, piece = 20_000_000, bytes(50_000)

    async def call(method: str, path: str, headers: Json, body: Iterator[bytes]) -> tuple[int, int]:
        """The status of an answer, and the length of its body."""
        status = length = 0

        async def receive() -> Json:
            chunk = next(body, None)
            return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

        async def answer(message: Json) -> None:
            nonlocal status, length
            status = message.get("status", status)
            length += len(message.get("body", b""))

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        }
        await app(scope, receive, answer)
        return status, length

    def upload() -> Iterator[bytes]:
        yield head
        yield from (piece for _ in range(size // len(piece)))
        yield tail

    async def measured(call: Any) -> tuple[Any, int]:
        tracemalloc.start()
        try:
            return await call, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    (status, _), peak = program.run(
        measured(call("POST", "/go/upload/", {"content-type": FORM}, upload()))
    )
    assert status == 201
    assert peak < 8 * PART
    key = base64.b64encode(f"{organization.admin.key}:".encode()).decode()
    path = urlsplit(told["download"]["url"]).path
    got, peak = program.run(
        measured(call("GET", path, {"authorization": f"Basic {key}"}, iter(())))
    )
    assert got == (200, size)
    assert peak < 8 * PART


# The sweep


def sweep(organization: Organization, after: timedelta = timedelta()) -> bool:
    """A round of the sweep, so much later than now; whether there is more."""
    program = organization.program
    more: bool = program.run(sweep_files(program.store, datetime.now(UTC) + after))
    return more


def test_what_nothing_refers_to_goes_after_a_day(organization: Organization) -> None:
    other = make_organization(organization.program)
    uploaded(organization.admin)
    uploaded(other.admin)
    sweep(organization, TEMPORARY_FOR - timedelta(minutes=1))
    assert files_of(organization)["file"] == files_of(other)["file"] == 1
    while sweep(organization, TEMPORARY_FOR):
        pass
    assert files_of(organization) == files_of(other) == NOTHING


def test_half_an_upload_goes_after_a_day(organization: Organization) -> None:
    uploaded(organization.admin)
    program, tenant = organization.program, Tenant(organization.system.organization_id)

    async def halve() -> None:
        async with program.store.database.tenant(tenant) as transaction:
            await transaction.execute(
                "update file set size = null where organization_id = $1", tenant.organization_id
            )

    program.run(halve())
    while sweep(organization, TEMPORARY_FOR):
        pass
    assert files_of(organization) == NOTHING


def test_a_round_does_so_much_and_no_more(organization: Organization) -> None:
    while sweep(organization, TEMPORARY_FOR):  # what other tests have left
        pass
    for _ in range(12):
        uploaded(organization.admin)
    assert sweep(organization, TEMPORARY_FOR) is True
    assert files_of(organization)["file"] == 2
    assert sweep(organization, TEMPORARY_FOR) is False
    assert files_of(organization) == NOTHING


def test_two_sweeps_at_once_do_not_hinder_each_other(organization: Organization) -> None:
    program = organization.program
    for _ in range(12):
        uploaded(organization.admin)
    later = datetime.now(UTC) + TEMPORARY_FOR

    async def several() -> None:
        for _ in range(3):
            await asyncio.gather(*(sweep_files(program.store, later) for _ in range(3)))

    program.run(several())
    assert files_of(organization) == NOTHING


def test_every_statement_on_files_names_its_tenant(cluster: str) -> None:
    with serve(cluster, declarations, connect=RecordingDatabase) as program:
        organization = make_organization(program)
        api = organization.admin
        note = api.post("/activity/note/", {"lead_id": api.post("/lead/", {})["id"]})
        attached = [{"url": uploaded(api), "filename": "x"}]
        note = api.put(f"/activity/note/{note['id']}/", {"attachments": attached})
        fetch(api, note["attachments"][0]["url"])
        fetch(api, uploaded(api))
        assert send(limited(api, 1), b"xx").status_code == 413
        api.delete(f"/activity/note/{note['id']}/")
        while sweep(organization, timedelta(days=31)):
            pass
        database = program.store.database
        assert isinstance(database, RecordingDatabase)
        asked = list(database.asked.values())
    assert {one.sql: wrong for one in asked if (wrong := faults(one))} == {}
    texts = " ".join(one.sql for one in asked)
    assert all(f" {name} " in texts for name in ("file", "file_part", "file_use"))
