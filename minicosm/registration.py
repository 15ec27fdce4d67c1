"""Tells Gymnasium and PettingZoo of the worlds. Entry points are strings, so this imports no JAX."""

from __future__ import annotations

from importlib.util import find_spec

from minicosm.envs.registry import Entry, entries

_GYMNASIUM = "minicosm.wrappers.to_gymnasium"
_PETTINGZOO = "minicosm.wrappers.to_pettingzoo"


def register_everywhere() -> None:
    """Register every entry of `minicosm.envs.registry` with each of the two packages that is installed."""
    for entry in entries():
        register_entry(entry)


def register_entry(entry: Entry) -> None:
    """Make `entry` known under its `gymnasium_id` and `pettingzoo_id`; call it for entries of your own.

    Gymnasium's spec states no `max_episode_steps`: the world truncates itself, and a TimeLimit around it would cut
    episodes short whenever the setting `max_steps` is raised. A second call for an entry changes nothing.
    """
    if entry.gymnasium_id and find_spec("gymnasium"):
        import gymnasium

        if entry.gymnasium_id not in gymnasium.registry:
            gymnasium.register(
                entry.gymnasium_id,
                entry_point=f"{_GYMNASIUM}:make_env",
                vector_entry_point=f"{_GYMNASIUM}:make_vector_env",
                kwargs={"name": entry.name},
            )
    if entry.pettingzoo_id and find_spec("pettingzoo"):
        import pettingzoo

        kwargs = {"name": entry.name}
        if entry.pettingzoo_id not in pettingzoo.parallel_registry:
            pettingzoo.register("parallel", entry.pettingzoo_id, f"{_PETTINGZOO}:parallel_env", kwargs=kwargs)
        if entry.pettingzoo_id not in pettingzoo.aec_registry:
            pettingzoo.register("aec", entry.pettingzoo_id, f"{_PETTINGZOO}:env", kwargs=kwargs)
