"""What the server hands out: its command line as one file, which already points here.

Beside it is what agents read: how to work with the server, in English and Chinese.
`/cli` is a Python archive that any Python 3.11 runs by itself; `/cli.tgz` is the same as a package
that npm installs. Both hold the standard library's needs alone, and are made when first asked for.
"""

import gzip
import io
import json
import marshal
import tarfile
import zipfile
from functools import cache, partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import MAGIC_NUMBER, source_hash

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clinch import __version__

# What the command line imports of the program, beside its own folder.
_MODULES = ("__init__.py", "cli/__init__.py", "db/__init__.py", "db/home.py")
_FOLDER = "cli/gateway"
_SHEBANG = b"#!/usr/bin/env python3\n"
_LAUNCHER = """\
#!/usr/bin/env node
const { spawnSync } = require("node:child_process");
const program = require("node:path").join(__dirname, "membrane.pyz");
for (const python of ["python3", "python"]) {
  const run = spawnSync(python, [program, ...process.argv.slice(2)], { stdio: "inherit" });
  if (!run.error) process.exit(run.status === null ? 1 : run.status);
}
console.error("membrane: Python 3.11 or newer is needed: install python3");
process.exit(1);
"""
_SKILLS = {
    "/skills/close/SKILL.md": "SKILL.md",
    "/skills/close/SKILL.zh-CN.md": "SKILL.zh-CN.md",
}
_LLMS = """\
# Clinch

> A CRM with a gateway for agents. It speaks Close's REST API and the commands of membrane.

- [How an agent works with it]({server}/skills/close/SKILL.md): log in, connect, find and run
- [The same in Chinese]({server}/skills/close/SKILL.zh-CN.md)
- [The command, one file]({server}/cli): needs Python 3.11; for npm {server}/cli.tgz
- [Guides and API reference]({server}/docs): pages of plain HTML
- [Every operation]({server}/api/openapi.json): the REST API as an OpenAPI document
"""
# Archives of one version are the same bytes wherever one version of Python makes them.
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def handouts(public_url: str) -> list[Route]:
    """The routes of what is handed out; `public_url` is the server that it points to."""
    archive = cache(partial(command_line, public_url))
    package = cache(lambda: npm_package(archive()))

    async def as_file(request: Request) -> Response:
        return _download(archive(), "membrane", "application/octet-stream")

    async def as_package(request: Request) -> Response:
        return _download(package(), "cli.tgz", "application/gzip")

    return [
        Route("/cli", as_file),
        Route("/cli.tgz", as_package),
        *(_text(path, _skill(name, public_url)) for path, name in _SKILLS.items()),
        _text("/llms.txt", _LLMS.format(server=public_url)),
    ]


def command_line(server: str) -> bytes:
    """An executable archive of the `membrane` command that points to a server."""
    root = files("clinch")
    buffer = io.BytesIO(_SHEBANG)
    buffer.seek(0, io.SEEK_END)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        found = [(name, root.joinpath(name)) for name in _MODULES]
        found += [(f"{_FOLDER}/{file.name}", file) for file in _sources(root.joinpath(_FOLDER))]
        for name, file in found:
            source = file.read_bytes()
            _put(archive, f"clinch/{name}", source)
            _put(archive, f"clinch/{name}c", _compiled(source, name))
        _put(archive, "__main__.py", _main(server).encode())
    return buffer.getvalue()


def npm_package(archive: bytes) -> bytes:
    """The same as a package of npm, whose command starts Python."""
    described = {
        "name": "clinch-membrane",
        "version": __version__,
        "description": "The membrane command of a Clinch server",
        "license": "MIT",
        "bin": {"membrane": "membrane.js"},
        "files": ["membrane.js", "membrane.pyz"],
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as package:
        for name, content in (
            ("package.json", json.dumps(described, indent=2).encode()),
            ("membrane.js", _LAUNCHER.encode()),
            ("membrane.pyz", archive),
        ):
            member = tarfile.TarInfo(f"package/{name}")
            member.size, member.mode = len(content), 0o755
            package.addfile(member, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def _skill(name: str, server: str) -> str:
    text = files("clinch.server").joinpath("skills", "close", name).read_text("utf-8")
    return text.replace("{{server}}", server)


def _text(path: str, text: str) -> Route:
    async def respond(request: Request) -> Response:
        kind = "text/plain" if path.endswith(".txt") else "text/markdown"
        return Response(text, media_type=f"{kind}; charset=utf-8")

    return Route(path, respond)


def _sources(folder: Traversable) -> list[Traversable]:
    return sorted(
        (one for one in folder.iterdir() if one.name.endswith(".py")), key=lambda f: f.name
    )


def _put(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), content, zipfile.ZIP_DEFLATED)


def _compiled(source: bytes, name: str) -> bytes:
    """A module for the version of Python that runs here, good without a look at its source (PEP
    552); other versions pass over it and read the source."""
    code = compile(source, f"clinch/{name}", "exec", dont_inherit=True)
    return MAGIC_NUMBER + b"\x01\0\0\0" + source_hash(source) + marshal.dumps(code)


def _main(server: str) -> str:
    return (
        "import sys\n\n"
        "from clinch.cli.gateway import HANDED_OUT_BY\n"
        "from clinch.cli.gateway.main import main\n\n"
        f"HANDED_OUT_BY.append({server!r})\n"
        "sys.exit(main())\n"
    )


def _download(content: bytes, name: str, kind: str) -> Response:
    headers = {
        "content-disposition": f'attachment; filename="{name}"',
        "x-content-type-options": "nosniff",
        "cache-control": "no-cache",
    }
    return Response(content, media_type=kind, headers=headers)
