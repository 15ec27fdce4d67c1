import dataclasses
import json
import math

import pytest

import minicosm
from minicosm.training.describe import from_json, to_json
from minicosm.wrappers import DiscretizeActions


def test_worlds_come_back_equal_through_a_file():
    env = minicosm.make("nav-warehouse", max_acceleration=math.inf, num_goals=2)
    env = DiscretizeActions(dataclasses.replace(env), (3, 5))
    assert from_json(json.loads(json.dumps(to_json(env)))) == env


@pytest.mark.parametrize(
    "described",
    [
        {"class": "minicosm.envs.nav.env:Nav"},
        {"class": "minicosm.envs.nav.env:Nothing", "fields": {}},
        {"class": "no.such.module:Nav", "fields": {}},
        {"class": "minicosm.envs.nav.env:Nav", "fields": {"speed": 1}},
        {"class": "os:system", "fields": {}},
    ],
)
def test_damaged_descriptions_are_refused(described):
    with pytest.raises(ValueError, match="damaged|not a dataclass"):
        from_json(described)


def test_what_cannot_be_kept_is_refused():
    with pytest.raises(ValueError, match="cannot be kept"):
        to_json({"a": 1})
