"""One server for all tests of the studio: its programs are compiled once."""

import pytest
from browser import launched
from studio_server import PATIENCE, plain, running


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("studio") / "levels") as one:
        assert one.studio.stage.ready.wait(PATIENCE)
        yield one


@pytest.fixture
def lander():
    return plain("lunar_lander")


@pytest.fixture(scope="module")
def chromium():
    """A browser; of one module, since its event loop is in the way of tests that run one of their own."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="tests of the page need pip install playwright")
    with sync_api.sync_playwright() as playwright:
        browser = launched(playwright)
        yield browser
        browser.close()
