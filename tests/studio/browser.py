"""Chromium for tests of the page: Debian's or Chrome where it is found, else Playwright's own."""

import os
import shutil

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def launched(playwright):
    """A running browser; the test is skipped where there is none."""
    path = next((found for name in _NAMES if (found := shutil.which(name))), None)
    own = playwright.chromium.executable_path
    if path is None and not os.path.exists(own):
        reason = "no chromium or google-chrome on PATH, and none of Playwright's own: install chromium"
        pytest.skip(reason)
    return playwright.chromium.launch(executable_path=path or own, args=_FLAGS, timeout=120_000)


class Page:
    """The studio's page, with the room's metres in place of pixels."""

    def __init__(self, context, address):
        self.page = context.new_page()
        self.page.set_default_timeout(60_000)
        self.mistakes = []
        self.page.on("pageerror", lambda error: self.mistakes.append(str(error)))
        self.page.on("console", lambda said: self.mistakes.append(said.text) if said.type == "error" else None)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.asked = []
        self.address = address

    def open(self, hash=""):
        self.page.goto(f"{self.address}/{hash}")
        self.page.wait_for_selector("body[data-ready=yes]")
        return self

    def at(self, x, y):
        """Where the room's point (x, y) m is in the window, as the editor shows a fresh room."""
        box = self.page.locator("#canvas").bounding_box()
        width, height = box["width"] - 84 - 292, box["height"] - 16 - 72
        scale = min(width / 5.3, height / 5.3)
        return box["x"] + 84 + width / 2 + (x - 2.5) * scale, box["y"] + 16 + height / 2 - (y - 2.5) * scale

    def drag(self, start, end):
        mouse = self.page.mouse
        mouse.move(*self.at(*start))
        mouse.down()
        for share in (0.3, 0.7, 1.0):
            mouse.move(*self.at(*(a + share * (b - a) for a, b in zip(start, end, strict=True))))
        mouse.up()

    def click(self, x, y):
        self.page.mouse.click(*self.at(x, y))

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def wait(self, selector, **options):
        return self.page.wait_for_selector(selector, **options)

    def count(self, kind):
        """How many polygons, circles, joints or thrusters the meter shows, once it shows a new figure."""
        texts = dict(
            zip(
                self.page.locator("#meter dt").all_inner_texts(),
                self.page.locator("#meter dd").all_inner_texts(),
                strict=True,
            )
        )
        return int(texts[kind].split()[0])

    def wait_counts(self, polygons, circles, joints):
        for index, number in enumerate((polygons, circles, joints), 1):
            self.wait(f"#meter dl > div:nth-child({index}) dd:text('{number} /')")
