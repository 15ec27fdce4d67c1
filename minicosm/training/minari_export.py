"""Demonstrations as a data set of Minari's, the format that offline reinforcement learning exchanges.

Minari keeps data sets by name in a folder of its own, `~/.minari/datasets` or where `MINARI_DATASETS_PATH` says, and
its episodes are those of one agent.
"""

from __future__ import annotations

import warnings
from typing import Any

import jax
import numpy as np

from minicosm.training.demonstrations import Demonstrations
from minicosm.wrappers.gymnasium_spaces import to_gymnasium_space


def validate_name(name: str) -> None:
    """Raise ValueError unless `name` can be that of a new data set, and ImportError without Minari."""
    minari = _minari()
    try:
        minari.dataset.minari_dataset.parse_dataset_id(name)
    except (ValueError, TypeError):
        raise ValueError(
            f"{name!r} is no name of a Minari data set; expected a name and a version, such as 'minicosm/replays-v0'"
        ) from None
    if (path := minari.storage.get_dataset_path(name)).exists():
        raise ValueError(
            f"there is a Minari data set {name!r} already, in {str(path)!r}: delete it, or choose another version"
        )


def write(found: Demonstrations, name: str) -> Any:
    """Write `found` as the Minari data set `name`, and return that, a `minari.MinariDataset`.

    Each agent's part of an episode is an episode there. Its `options` hold the `level`, the `source`, and the number of
    the `agent`. Its `infos`, led by T + 1, hold `success`, of the step that ends with the observation, and where the
    world knows it the `action_mask` of the step that follows. Raises ValueError for a name that is taken or none.
    """
    minari = _minari()
    validate_name(name)
    world = found.world
    parts = [(e, a) for e, a in np.ndindex(found.num_episodes, world.num_agents) if found.valid[e, :, a].any()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that nobody has signed the data set, and the like
        return minari.create_dataset_from_buffers(
            name,
            [minari.data_collector.EpisodeBuffer(id=i, **_episode(found, *part)) for i, part in enumerate(parts)],
            observation_space=to_gymnasium_space(world.observation_space),
            action_space=to_gymnasium_space(world.action_space),
            description=f"Demonstrations in minicosm's {type(world).__name__}",
            data_format="hdf5",
            jpeg_encoding=False,
        )


def _episode(found: Demonstrations, episode: int, agent: int) -> dict[str, Any]:
    """The fields of Minari's buffer: what one agent saw and did until its own end."""
    valid = found.valid[episode, :, agent]
    steps = len(valid) - int(np.argmax(valid[::-1]))

    def cut(array: Any, ticks: int) -> Any:
        return array[episode, :ticks, agent]

    success = np.concatenate([[False], cut(found.success, steps)])
    infos = {"success": success}
    if found.action_mask is not None:
        mask = cut(found.action_mask, steps)
        infos["action_mask"] = np.concatenate([mask, mask[-1:]])
    return {
        "options": {"level": found.names[episode], "source": found.sources[episode], "agent": agent},
        "observations": jax.tree.map(lambda leaf: cut(leaf, steps + 1), found.observations),
        "actions": cut(found.actions, steps),
        "rewards": cut(found.rewards, steps),
        "terminations": cut(found.terminated, steps),
        "truncations": cut(found.truncated, steps),
        "infos": infos,
    }


def _minari() -> Any:
    try:
        import h5py  # noqa: F401 - without it Minari can write nothing
        import minari
        import minari.data_collector
        import minari.dataset.minari_dataset
        import minari.storage
    except ImportError as error:
        raise ImportError(
            f"Minari's format needs {error.name}, which is not installed: with Python 3.11 or newer, run"
            ' pip install "minicosm[minari]"'
        ) from error
    return minari
