"""What the page may say on a socket. Anything else is answered by a message that tells what was wrong with it."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from minicosm.envs.physics import level_text
from minicosm.envs.physics.format import LevelFile

_STRICT = ConfigDict(extra="forbid", frozen=True)
_Signal = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]


class Load(BaseModel):
    """Play this level, from its start."""

    model_config = _STRICT
    type: Literal["load"]
    level: dict[str, Any]
    playing: bool = False


class Act(BaseModel):
    """What the person holds down: a signal of each binding, motors first."""

    model_config = _STRICT
    type: Literal["act"]
    signals: Annotated[list[_Signal], Field(max_length=64)]


class Run(BaseModel):
    """Go on or pause."""

    model_config = _STRICT
    type: Literal["run"]
    playing: bool


class Step(BaseModel):
    """One step of an agent, while paused."""

    model_config = _STRICT
    type: Literal["step"]


class Speed(BaseModel):
    """Slow motion: 1 is as in life."""

    model_config = _STRICT
    type: Literal["speed"]
    value: Annotated[float, Field(ge=0.02, le=1)]


class Seek(BaseModel):
    """Back to the start of this step of an agent; what came after is forgotten."""

    model_config = _STRICT
    type: Literal["seek"]
    step: Annotated[int, Field(strict=True, ge=0, le=10**6)]


class Drive(BaseModel):
    """Take the wheel of one robot, or of none."""

    model_config = _STRICT
    type: Literal["drive"]
    robot: Annotated[int, Field(strict=True, ge=0, le=63)] | None


class Recording(BaseModel):
    """Ask for the actions so far."""

    model_config = _STRICT
    type: Literal["recording"]


Message = Load | Act | Run | Step | Speed | Seek | Drive | Recording
_MESSAGES: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="type")])


def read(text: str) -> Message:
    """The message that `text` holds. Raises ValueError, in one sentence, for anything else."""
    data = level_text.loaded(text, "the message")
    if not isinstance(data, dict):
        raise ValueError(f'the message is {text!r:.60}; expected a JSON object with a type, e.g. {{"type": "step"}}')
    try:
        return _MESSAGES.validate_python(data)
    except ValidationError as error:
        raise ValueError(f"the message was not understood: {level_text.told(error)}") from None
    except RecursionError:
        raise ValueError("the message is nested too deeply; a level has no more than a few layers") from None


def level_of(data: Any, source: str = "the level") -> LevelFile:
    """The level in the object `data`, by the very model that reads files. Raises ValueError in one sentence."""
    return level_text.parse(json.dumps(data), source)
