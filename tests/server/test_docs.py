"""The documentation that the server shows: whole, linked, needing nothing from elsewhere."""

import os
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
import requests
from chromium.browser import Window, chromium
from harness import Api, Program

ROOT = Path(__file__).parents[2]
GUIDES = sorted(path.stem for path in (ROOT / "docs/guide").glob("*.md"))
# Elements that have no end.
VOID = frozenset(("meta", "input", "br", "hr", "img", "link"))


@dataclass
class Read(HTMLParser):
    """A page as it is read: what it links to, its anchors, its text; its elements must nest."""

    links: list[str] = field(default_factory=list)
    anchors: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attributes:
            if name == "id":
                self.anchors.append(str(value))
            elif name == "href":
                (self.links if tag == "a" else self.loads).append(str(value))
            elif name in ("src", "style", "srcset", "action") or name.startswith("on"):
                self.loads.append(f"{name}={value}")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(answer: requests.Response) -> Read:
    assert answer.status_code == 200, answer.url
    found = Read()
    found.feed(answer.text)
    found.close()
    assert found.open == []
    return found


@pytest.fixture(scope="session")
def site(program: Program) -> dict[str, Read]:
    """All pages below /docs that are linked from its index, by path; other links must answer."""
    pages: dict[str, Read] = {}
    seen, left = {"/docs"}, ["/docs"]
    while left:
        path = left.pop()
        answer = requests.get(f"{program.url}{path}", timeout=30)
        if not path.startswith("/docs"):
            assert answer.status_code == 200, path
            continue
        pages[path] = read(answer)
        for link in pages[path].links:
            parts = urlsplit(urljoin(path, link))
            if not parts.netloc and parts.path not in seen:
                seen.add(parts.path)
                left.append(parts.path)
    return pages


@pytest.fixture(scope="session")
def document(program: Program) -> Any:
    return requests.get(f"{program.url}/api/openapi.json", timeout=30).json()


def test_every_link_leads_somewhere(site: dict[str, Read], program: Program) -> None:
    assert len(site) > 50
    for path, page in site.items():
        assert len(page.anchors) == len(set(page.anchors)), path
        for link in page.links:
            parts = urlsplit(urljoin(path, link))
            assert not parts.netloc, (path, link)
            if parts.fragment:
                assert parts.fragment in site[parts.path].anchors, (path, link)
    for start in ("/", "/llms.txt"):
        assert "/docs" in requests.get(f"{program.url}{start}", timeout=30).text


def test_every_guide_is_a_page_with_this_servers_address(
    site: dict[str, Read], program: Program
) -> None:
    assert {f"/docs/guide/{name}" for name in GUIDES} < set(site)
    for name in GUIDES:
        page = site[f"/docs/guide/{name}"]
        source = (ROOT / "docs/guide" / f"{name}.md").read_text()
        for heading in re.findall(r"^##+ (.*)$", source, re.MULTILINE):
            assert heading.replace("`", "") in page.text
        assert "127.0.0.1:8080" not in page.text
        assert "](" not in page.text
        assert "|---" not in page.text
    assert program.url in site["/docs/guide/getting-started"].text


def test_every_operation_is_on_a_page(site: dict[str, Read], document: Any) -> None:
    count = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            [tag] = operation["tags"]
            page = site[f"/docs/api/{tag}"]
            assert operation["operationId"] in page.anchors
            assert operation["summary"] in page.text
            base = operation.get("servers", document["servers"])[0]["url"].rstrip("/")
            assert f"{method.upper()} {base}{path}" in page.text
            for parameter in operation["parameters"]:
                assert parameter["name"] in page.text
            count += 1
    assert count > 200
    anchors = [anchor for page in site.values() for anchor in page.anchors]
    for name, schema in document["components"]["schemas"].items():
        assert anchors.count(f"object-{name}") == 1
        assert set(schema) <= {"type", "description", "properties", "anyOf", "required"}


def test_the_examples_run(site: dict[str, Read], api: Api) -> None:
    """Those that ask for a list; the others name an object, and two lists are of one object."""
    run = [
        line
        for page in site.values()
        for line in re.findall(r"^curl -u .*$", page.text, re.MULTILINE)
        if re.fullmatch(r'curl -u "\$CLINCH_API_KEY:" "[^" ]+_limit=5"', line)
        and not re.search("/comment/|/custom_object/", line)
    ]
    assert len(run) > 30
    script = "set -e\n" + "\n".join(
        line.replace("curl", "curl --fail-with-body", 1) for line in run
    )
    done = subprocess.run(
        ["bash", "-c", script],
        env={"PATH": os.environ["PATH"], "CLINCH_API_KEY": api.key},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout[-500:]
    assert done.stdout.count('"data":') >= len(run)


def test_nothing_runs_and_nothing_is_loaded(site: dict[str, Read], program: Program) -> None:
    assert {path: page.loads for path, page in site.items() if page.loads} == {}
    for path in ("/docs", "/docs/guide/api", "/docs/api/lead", "/docs/api/nothing"):
        answer = requests.get(f"{program.url}{path}", timeout=30)
        assert "<script" not in answer.text
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in policy


def test_a_page_is_kept_until_it_changes(program: Program) -> None:
    url = f"{program.url}/docs/api/lead"
    first = requests.get(url, timeout=30)
    assert first.headers["cache-control"] == "public, max-age=300"
    again = requests.get(url, headers={"If-None-Match": first.headers["etag"]}, timeout=30)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    other = requests.get(url, headers={"If-None-Match": '"other"'}, timeout=30)
    assert other.content == first.content
    assert requests.get(f"{program.url}/docs/", timeout=30).status_code == 200


@pytest.mark.parametrize(
    "path", ["guide/nothing", "guide/..%2F..%2Fpages", "api/nothing", "guide", "api/lead/x", "%00"]
)
def test_no_such_page(program: Program, path: str) -> None:
    answer = requests.get(f"{program.url}/docs/{path}", timeout=30)
    assert answer.status_code == 404
    assert "There is no such page" in answer.text
    assert "/docs/api" in answer.text


def test_the_pages_fit_a_phone_and_a_browser_finds_nothing_wrong(
    site: dict[str, Read], program: Program
) -> None:
    with chromium() as browser:
        window = Window(browser, width=360)
        for path in site:
            window.open(f"{program.url}{path}")
            assert window.page.evaluate("document.documentElement.scrollWidth") == 360, path
        assert window.complaints == []
        assert {urlsplit(url).path for url in window.asked} - {"/favicon.ico"} == set(site)


def test_the_guides_are_in_the_package(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=100)
    [wheel] = tmp_path.iterdir()
    packed = zipfile.ZipFile(wheel).namelist()
    for name in GUIDES:
        assert f"clinch/server/docs/guide/{name}.md" in packed
