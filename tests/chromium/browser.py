"""A real browser without a screen: the machine's Chromium, or else the one of an npm package."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import node
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, sync_playwright

HERE = Path(__file__).parent
_NAMES = ("chromium", "chromium-browser", "google-chrome")
# It looks for news of its own otherwise; as root it has no sandbox.
_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


@cache
def _found() -> tuple[str, dict[str, str]]:
    """The program, and what its environment needs. Fails where there is none to be had: a page
    that no browser saw was not tested."""
    for name in _NAMES:
        if path := shutil.which(name):
            return path, {}
    place = node.installed(HERE)
    return str(place / "chromium"), {"LD_LIBRARY_PATH": str(place / "al2023" / "lib")}


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, running. Meanwhile an event loop runs in this thread, so no other can."""
    path, environment = _found()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=path, args=_ARGUMENTS, env={**os.environ, **environment}
        )
        yield browser
        browser.close()


class Window:
    """One person's window, used as `server.oauth.browser.Browser` is: it opens pages and sends
    their forms. `complaints` is what the browser found wrong with them, `asked` the addresses that
    it loaded something from."""

    def __init__(self, browser: Browser, *, javascript: bool = True, width: int = 1000) -> None:
        context = browser.new_context(
            java_script_enabled=javascript, viewport={"width": width, "height": 800}
        )
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", self._note)
        self.page.on("response", self._loaded)

    def open(self, url: str) -> "Window":
        self.page.goto(url)
        return self

    def send(self, **fields: str) -> "Window":
        """Fill in fields, choose and press the buttons that are named; else press the first."""
        button = self.page.locator("form button").first
        for name, value in fields.items():
            chosen = self.page.locator(f'[name="{name}"][value="{value}"]')
            if not chosen.count():
                self.page.locator(f'[name="{name}"]').fill(value)
            elif chosen.get_attribute("type") == "radio":
                chosen.check()
            else:
                button = chosen
        with self.page.expect_navigation():
            button.click()
        return self

    def log_in(self, person: Any) -> "Window":
        return self.send(email=person.email, password=person.password)

    @property
    def text(self) -> str:
        return self.page.content()

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _loaded(self, response: Response) -> None:
        self.asked.append(response.url)
