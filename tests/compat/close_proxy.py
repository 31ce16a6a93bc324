"""A way to Close that ends at our server, for clients whose base address cannot be set.

An HTTP proxy that answers CONNECT for any host itself: it ends TLS with a certificate of its own
authority, made for the occasion, and hands the plain bytes to the server.
"""

import asyncio
import re
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import trustme


class CloseProxy:
    """Serve as a context manager; `url` is the proxy's address.

    `requests` are the GET requests that passed: the path, and its query as a dict.
    """

    def __init__(self, server_url: str, host: str) -> None:
        self._server, self._host = urlsplit(server_url), host
        self._authority = trustme.CA()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(host).configure_cert(self._tls)
        self._talks: set[asyncio.Task[Any]] = set()
        self.url = ""
        self.requests: list[tuple[str, dict[str, str]]] = []

    def write_authority(self, path: Path) -> None:
        """Write the certificate that a client is to trust."""
        self._authority.cert_pem.write_to_path(str(path))

    def __enter__(self) -> "CloseProxy":
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._listening = self._on_loop(asyncio.start_server(self._talk, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._on_loop(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _on_loop(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _stop(self) -> None:
        self._listening.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None
        self._talks.add(talk)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._pass_on(reader, writer)
        finally:
            self._talks.discard(talk)
            writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).decode("ascii").partition("\r\n")[0]
        if not asked.startswith(f"CONNECT {self._host}:443 HTTP/1."):
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        await writer.start_tls(self._tls)
        theirs, ours = await asyncio.open_connection(self._server.hostname, self._server.port)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._copy(reader, ours, note=True))
                both.create_task(self._copy(theirs, writer))
        except* OSError:
            pass
        finally:
            ours.close()

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, note: bool = False
    ) -> None:
        while data := await reader.read(65536):
            if note and (line := re.match(rb"GET (\S+) HTTP", data)):
                address = urlsplit(line[1].decode("ascii"))
                self.requests.append((address.path, dict(parse_qsl(address.query))))
            writer.write(data)
            await writer.drain()
        writer.close()
