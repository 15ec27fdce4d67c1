"""One server for all tests of the studio: its programs are compiled once."""

import pytest
from studio_server import PATIENCE, plain, running


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("studio") / "levels") as one:
        assert one.studio.stage.ready.wait(PATIENCE)
        yield one


@pytest.fixture
def lander():
    return plain("lunar_lander")
