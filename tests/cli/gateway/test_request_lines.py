"""`membrane request`: command lines, and the exact bytes that reach the gateway for each."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from promises import promise

PART = "Request"

RAW = bytes(range(256))


@dataclass
class Echo:
    """A server that notes what it is asked, and answers as it is told."""

    url: str = ""
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    status: int = 200
    body: bytes = b'{"ok": true}'
    headers: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def echo() -> Iterator[Echo]:
    noted = Echo()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            noted.seen.append((self.command, self.path, headers, body))
            self.send_response(noted.status)
            for name, value in noted.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(noted.body)))
            self.end_headers()
            self.wfile.write(noted.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def log_message(self, format: str, *values: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    noted.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield noted
    server.shutdown()
    thread.join()
    server.server_close()


def membrane(
    echo: Echo, folder: Path, *words: str, given: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run the command as a process, logged in by a token of the environment."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "HOME": str(folder),
        "MEMBRANE_API_URI": echo.url,
        "MEMBRANE_TOKEN": "at_test",
    }
    command = [sys.executable, "-m", "clinch.cli.gateway.main", *words]
    return subprocess.run(
        command, env=environment, cwd=folder, input=given, capture_output=True, timeout=30
    )


JSON, TEXT = "application/json", "text/plain"


@promise(PART, "`--json` with a body, `-d`, `--rawData`, `--query` and `--pathParam` send exactly"
         " the bytes and the path that they stand for.")  # fmt: skip
@pytest.mark.parametrize(
    ("words", "method", "path", "kind", "body"),
    [
        (["/lead/"], "GET", "/lead/", None, b""),
        (["lead/"], "GET", "/lead/", None, b""),
        (["/lead/", "-X", "GET", "--query", "_limit=10"], "GET", "/lead/?_limit=10", None, b""),
        (["--query", "a=1", "/lead/?b=2", "--query=a=3"], "GET", "/lead/?b=2&a=1&a=3", None, b""),
        (["/x", "--query", "q=a b&c=é"], "GET", "/x?q=a+b%26c%3D%C3%A9", None, b""),
        (["/lead/{id}/", "--pathParam", "id=le/ad 1"], "GET", "/lead/le%2Fad%201/", None, b""),
        (["/lead/:id/", "--pathParam", "id=7", "-X", "DELETE"], "DELETE", "/lead/7/", None, b""),
        (["/x", "-X", "PUT", "--json", "-d", '{"a": 1}'], "PUT", "/x", JSON, b'{"a": 1}'),
        (["/x", "-X", "PUT", "--json", '{"a":  1}'], "PUT", "/x", JSON, b'{"a":  1}'),
        (["/x", "-X", "PATCH", '--json={"a": 1}'], "PATCH", "/x", JSON, b'{"a": 1}'),
        (["/x", "-X", "POST", "-d", "[1]"], "POST", "/x", JSON, b"[1]"),
        (["/x", "-X", "POST", "-d", "a=b"], "POST", "/x", TEXT, b"a=b"),
        (["/x", "-X", "POST", "-d", "a=b", "--rawData"], "POST", "/x", None, b"a=b"),
        (["/x", "-X", "POST", "--rawData", "{oh"], "POST", "/x", None, b"{oh"),
        (["/x", "-X", "POST", "-d", "@raw", "--rawData"], "POST", "/x", None, RAW),
        (["/x", "-X", "POST", "-d", "@-", "--rawData"], "POST", "/x", None, b"in\x00put"),
        (
            ["/x", "-X", "POST", "-d", "a: 1", "-H", "Content-Type: text/yaml"],
            "POST",
            "/x",
            "text/yaml",
            b"a: 1",
        ),
    ],
)
def test_what_is_sent(
    echo: Echo,
    tmp_path: Path,
    words: list[str],
    method: str,
    path: str,
    kind: str | None,
    body: bytes,
) -> None:
    (tmp_path / "raw").write_bytes(RAW)
    done = membrane(echo, tmp_path, "request", "conn_1", *words, given=b"in\x00put")
    assert (done.returncode, done.stdout, done.stderr) == (0, b'{"ok": true}', b"200 OK\n")
    [(sent_method, sent_path, headers, sent)] = echo.seen
    assert (sent_method, sent_path) == (method, f"/connections/conn_1/proxy{path}")
    assert (headers.get("content-type"), sent) == (kind, body)
    assert headers["authorization"] == "Bearer at_test"
    assert ("idempotency-key" in headers) == (method != "GET")


@promise(PART, "Headers of one's own are sent, but for those that say who asks.")
def test_the_callers_own_headers(echo: Echo, tmp_path: Path) -> None:
    words = ["-H", "X-One: 1", "--header=X-Two:2", "-H", "Authorization: mine", "-H", "Cookie: a=b"]
    membrane(echo, tmp_path, "request", "c", "/x", *words)
    [(_, _, headers, _)] = echo.seen
    assert (headers["x-one"], headers["x-two"]) == ("1", "2")
    assert headers["authorization"] == "Bearer at_test"
    assert "cookie" not in headers


@promise(PART, "What cannot be meant (a text that is no JSON, a place in the path without a value,"
         " two bodies) is a usage error, and nothing is sent.")  # fmt: skip
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["/x", "-d", "{}"], "-X"),
        (["/x", "--json", "{}"], "-X"),
        (["/x", "-X", "POST", "--json", "{oh"], "JSON"),
        (["--json", "/x", "-X", "POST"], "JSON"),
        (["/x", "-X", "POST", "--json", "-d", "{oh"], "JSON"),
        (["/x", "-X", "POST", "--json", "{}", "-d", "{}"], "two bodies"),
        (["/x", "-X", "POST", "--rawData"], "--rawData"),
        (["/x", "-X", "TRACE"], "TRACE"),
        (["/x/{id}/"], "id"),
        (["/x/:id"], "id"),
        (["/x/", "--pathParam", "id=1"], "id"),
        (["/x", "--query", "name"], "NAME=VALUE"),
        (["/x", "-H", "no header"], "NAME: VALUE"),
        (["https://api.close.com/api/v1/lead/?a=1"], "/api/v1/lead/?a=1"),
        (["//evil.example/x"], "/x"),
        (["/x", "-X", "POST", "-d", "@missing"], "missing"),
        (["/x", "--nonsense"], "nonsense"),
        ([], "PATH"),
    ],
)
def test_what_cannot_be_meant_is_not_sent(
    echo: Echo, tmp_path: Path, words: list[str], told: str
) -> None:
    done = membrane(echo, tmp_path, "request", "conn_1", *words)
    document = json.loads(done.stdout)
    assert (done.returncode, document["error"]) == (2, "usage")
    assert told in document["message"] + document["hint"]
    assert not echo.seen


def test_bytes_come_out_as_the_app_sent_them(echo: Echo, tmp_path: Path) -> None:
    echo.body = RAW
    done = membrane(echo, tmp_path, "request", "c", "/x", "--json")
    assert (done.returncode, done.stdout) == (0, RAW)


@pytest.mark.parametrize(("body", "shown"), [(b'{"error": "no"}', {"error": "no"}), (b"no", "no")])
def test_a_refusal_of_the_app(echo: Echo, tmp_path: Path, body: bytes, shown: Any) -> None:
    echo.status, echo.body = 404, body
    done = membrane(echo, tmp_path, "request", "c", "/x")
    document = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (1, b"404 Not Found\n")
    assert (document["status"], document["body"]) == (404, shown)
    assert set(document) == {"error", "message", "hint", "status", "body"}


def test_a_refusal_of_the_gateway(echo: Echo, tmp_path: Path) -> None:
    echo.status, echo.headers = 404, {"Clinch-Gateway-Error": "1"}
    echo.body = json.dumps(
        {"type": "bad_request", "key": "not_found", "message": "No connection is called c."}
    ).encode()
    done = membrane(echo, tmp_path, "request", "c", "/x")
    document = json.loads(done.stdout)
    assert (done.returncode, document["error"]) == (1, "not_found")
    assert document["message"] == "No connection is called c."
