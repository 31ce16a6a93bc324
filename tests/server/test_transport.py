"""How answers go over the wire."""

import base64
import contextlib
import json
import socket
import struct
import sys
from urllib.parse import urlsplit

import pytest
from harness import Api, Program

from clinch.server.transport import HttpProtocol

ASKED = 20
# Where Linux's tcp_info has how many segments with data have come.
SEGMENTS = 152


def connect(program: Program) -> socket.socket:
    address = urlsplit(program.url)
    return socket.create_connection((address.hostname or "", address.port or 0), timeout=20)


def segments(connection: socket.socket) -> int:
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, SEGMENTS + 4)
    [count] = struct.unpack_from("I", info, SEGMENTS)
    return int(count)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of segments")
def test_the_head_and_the_body_of_an_answer_come_as_one(api: Api) -> None:
    key = base64.b64encode(f"{api.key}:".encode()).decode()
    asked = f"GET /api/v1/status/lead/ HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {key}\r\n\r\n"
    with connect(api.program) as connection:
        for _ in range(ASKED):
            connection.sendall(asked.encode())
            head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
            assert b"content-length: %d\r\n" % len(body) in head + b"\r\n"
            assert b'"data":[{' in body
        assert segments(connection) == ASKED


def test_what_is_not_http_or_too_large_is_refused_by_json(program: Program) -> None:
    for said in (b"What?\r\n\r\n", b"GET /api/v1/lead/?%s HTTP/1.1\r\n\r\n" % (b"z" * 70_000)):
        with connect(program) as connection:
            connection.sendall(said)
            answer = b""
            with contextlib.suppress(ConnectionResetError):  # it does not read to the end
                while piece := connection.recv(65536):
                    answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"content-type: application/json" in head
        assert b"content-length: %d\r\n" % len(body) in head
        assert json.loads(body) == {"error": "Invalid HTTP request received."}


def test_an_empty_answer_says_nothing_of_a_body(api: Api) -> None:
    group = api.post("/group/", {"name": "North", "members": []})
    gone = api("DELETE", f"/group/{group['id']}/")
    assert (gone.status_code, gone.content) == (204, b"")
    assert not {"content-type", "content-length", "transfer-encoding"} & {
        *map(str.lower, gone.headers)
    }


def test_an_answer_without_a_body_is_sent_and_the_connection_closed(program: Program) -> None:
    with connect(program) as connection:
        connection.sendall(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: x\r\n", id="half a head"),
        pytest.param(
            b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\n",
            id="half a second head",
        ),
        pytest.param(
            b"POST /api/v1/lead/ HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\n"
            b"Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{",
            id="half a body",
        ),
    ],
)
def test_a_request_that_never_ends_loses_its_connection(
    api: Api, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(HttpProtocol, "patience", 0.3)
    before = api.get("/lead/")
    said = said.replace(b"%s", base64.b64encode(f"{api.key}:".encode()))
    with connect(api.program) as connection:
        connection.sendall(said)
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            for _ in range(20):  # a byte now and then is no progress
                connection.settimeout(0.1)
                try:
                    if not connection.recv(65536):
                        break
                except TimeoutError:
                    connection.sendall(b"x" * bool(said))
            else:
                pytest.fail("the connection is held")
    assert api.get("/lead/") == before
