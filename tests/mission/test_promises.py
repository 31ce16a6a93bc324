"""docs/promises.md lists the promises with the tests that hold the program to them.

Where the page is out of date, `make promises` writes it.
"""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

from promises import Promise

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "promises.md"

HEAD = """\
# Promises

What a session at the command line can count on, one sentence each, and the test that holds the
program to it. The tests run `membrane` as it is installed, against a server that was started by
`clinch up --sample`: with a terminal, without one, and in a script under `set -e`. The pages are
gone through in Chromium, in Chromium without JavaScript, and by plain forms. What a request sends
byte for byte is seen by a server that notes it. `make promises` writes this page.
"""
# The order of the page.
FILES = (
    "tests/mission/test_block.py",
    "tests/mission/test_login.py",
    "tests/mission/test_connect.py",
    "tests/mission/test_lists.py",
    "tests/mission/test_request.py",
    "tests/cli/gateway/test_request_lines.py",
    "tests/mission/test_exit_codes.py",
    "tests/mission/test_secrets.py",
)


def attached() -> Iterator[tuple[Promise, str]]:
    """The promises in order, each with the name of its test."""
    for file in FILES:
        described = importlib.util.spec_from_file_location("promised", ROOT / file)
        assert described is not None
        assert described.loader is not None
        module = importlib.util.module_from_spec(described)
        described.loader.exec_module(module)
        for name, value in vars(module).items():
            if isinstance(value, FunctionType):
                for one in getattr(value, "promises", ()):
                    yield one, f"{file}::{name}"


def page() -> str:
    parts: dict[str, list[str]] = {}
    for one, test in attached():
        file, _, name = test.partition("::")
        row = f"| {one.text} | [`{name}`](../{file}) |"
        parts.setdefault(one.part, []).append(row)
    texts = [HEAD]
    for part, rows in parts.items():
        texts.append("\n".join((f"\n## {part}\n", "| promise | test |", "|---|---|", *rows, "")))
    return "".join(texts)


def test_the_page_lists_all_promises() -> None:
    text = page()
    if os.environ.get("CLINCH_WRITE_PROMISES"):
        PAGE.write_text(text)
    assert PAGE.read_text() == text, "make promises writes it anew"


def test_every_promise_is_in_a_file_of_the_page_and_made_once() -> None:
    made = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("test_*.py")
        if "\n@promise(" in path.read_text()
    }
    assert made == set(FILES)
    texts = [one.text for one, _ in attached()]
    assert len(texts) == len(set(texts)) > 40
    for text in texts:
        assert text.endswith("."), text
