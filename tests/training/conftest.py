"""One of each small world for all tests of training."""

import pytest
from small_worlds import Leavers, Recall


@pytest.fixture(scope="session")
def leavers():
    return Leavers()


@pytest.fixture(scope="session")
def recall():
    return Recall()
