"""An app over a plain socket, which keeps the exact bytes that came and answers as it is told."""

import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

PIECE = b"0123456789abcdef" * 4096


@dataclass
class Request:
    """One request: its head as it came, and its body without the chunks it may have come in."""

    head: bytes
    line: socket.socket
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False
    """Whether the body came to its end."""
    over: threading.Event = field(default_factory=threading.Event)
    """Set when the app is through with it."""

    @property
    def headers(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return [(name, value) for name, _, value in (line.partition(": ") for line in lines)]

    def header(self, name: str) -> str | None:
        return next((value for one, value in self.headers if one.lower() == name), None)

    def say(self, *parts: bytes) -> None:
        self.line.sendall(b"".join(parts))

    def say_chunk(self, piece: bytes) -> None:
        self.say(b"%x\r\n" % len(piece), piece, b"\r\n")

    def hung_up(self, seconds: float = 10) -> bool:
        """Whether the other side ends the connection within this time."""
        self.line.settimeout(seconds)
        try:
            while self.line.recv(65536):
                pass
        except TimeoutError:
            return False
        except OSError:
            return True
        return True


Behaviour = Callable[["App", Request], None]


def reads_all(app: "App", request: Request) -> None:
    for piece in app.pieces(request):
        request.body += piece


def echoes(app: "App", request: Request) -> None:
    reads_all(app, request)
    told = bytes(request.body)
    request.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(told), told)


@dataclass
class App:
    """`behaves` answers each request; what it raises ends the connection."""

    url: str = ""
    behaves: Behaviour = echoes
    seen: list[Request] = field(default_factory=list)

    def first(self) -> Request:
        """The first request, once it is here."""
        until(lambda: bool(self.seen))
        return self.seen[0]

    def pieces(self, request: Request) -> Iterator[bytes]:
        """The body as it comes; it ends early where the connection does."""
        file = request.line.makefile("rb", buffering=0)
        length = request.header("content-length")
        if length is not None:
            left = int(length)
            while left and (piece := file.read(min(left, 65536))):
                left -= len(piece)
                yield piece
            request.ended = not left
        elif request.header("transfer-encoding") == "chunked":
            while (size := int(_line(request.line) or b"-1", 16)) > 0:
                while size and (piece := file.read(min(size, 65536))):
                    size -= len(piece)
                    yield piece
                _line(request.line)
            request.ended = size == 0
            _line(request.line)
        else:
            request.ended = True


def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for something to hold."""
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.005)


def _line(line: socket.socket) -> bytes:
    read = b""
    while not read.endswith(b"\r\n") and (byte := line.recv(1)):
        read += byte
    return read.removesuffix(b"\r\n")


@contextmanager
def serving() -> Iterator[App]:
    app = App()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            head = b""
            with suppress(OSError):
                while byte := self.request.recv(1):
                    head += byte
                    if not head.endswith(b"\r\n\r\n"):
                        continue
                    request = Request(head.removesuffix(b"\r\n\r\n"), self.request)
                    app.seen.append(request)
                    try:
                        app.behaves(app, request)
                    finally:
                        request.over.set()
                    head = b""

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 100

    server = Server(("127.0.0.1", 0), Handler)
    app.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield app
    server.shutdown()
    thread.join()
    server.server_close()
