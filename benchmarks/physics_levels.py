"""What the 2D universe costs beside its engine: levels a second, steps by kind of observation, and where a step goes.

    python benchmarks/physics_levels.py                    # all of it: a quarter of an hour, mostly compiling
    python benchmarks/physics_levels.py --merge --sizes s --parts steps --kinds flat pixels   # a few minutes
    python benchmarks/physics_levels.py --merge --sizes l --parts levels --makers random mutate

With --merge the file's figures of other parts stay; without, it is written anew.

Levels: random contraptions, each family that fits the size, and edits of random levels, so many at a time. Steps:
random actions, automatic reset onto new random levels, the whole loop on the device. Breakdown, at 1024 worlds unless
told: four programs, each of which does what the one before does and one thing more, play the same steps from the same
states and take turns; a share is what the median grows by. The last two are env.step and AutoReset.step themselves;
without its observation, which nothing then uses, env.step computes none. Everything is compiled afresh, for the
seconds that this takes. Written to results/<machine>/physics_step.json.
"""

import argparse
import dataclasses
import functools
import itertools
import json
import statistics
import time

import jax
import jax.numpy as jnp
import machine
from rollouts import scanned, used_up

import minicosm
from minicosm.envs.physics import Physics, PhysicsConfig, engine
from minicosm.envs.physics.control import controls, signals
from minicosm.envs.physics.distributions import sample
from minicosm.envs.physics.families import FAMILIES
from minicosm.envs.physics.mutate import mutate
from minicosm.wrappers import AutoReset

OBSERVATIONS = ("flat", "entities", "pixels")
EDITS = 5  # a level, in a mutation
ENV_STEPS = {"s": 200_000, "m": 100_000, "l": 40_000}  # of one timed rollout, about
PIXELS = 0.1  # so many times as long with pixels
PART_STEPS = 64  # of a rollout of the breakdown


def compiled(function, *arguments):
    """The compiled `function` and the seconds to trace, lower and compile it."""
    start = time.perf_counter()
    made = jax.jit(function).lower(*arguments).compile()
    return made, time.perf_counter() - start


def seconds(*calls, repeats):
    """Median wall time of each of `calls`, which take turns."""
    for call in calls:
        jax.block_until_ready(call())
    taken = []
    for _ in range(repeats):
        for call in calls:
            start = time.perf_counter()
            jax.block_until_ready(call())
            taken.append(time.perf_counter() - start)
    return [statistics.median(taken[i :: len(calls)]) for i in range(len(calls))]


def makers(size):
    """What makes levels at `size`: by name, a function of one key."""
    config = PhysicsConfig(size=size)
    fitting = [name for name, family in FAMILIES.items() if family.fits(config.slots)]
    return {
        name: functools.partial(sample, config=PhysicsConfig(size=size, levels=name)) for name in ("random", *fitting)
    }


def levels_per_second(size, batches, names, repeats):
    """A row for each way to make levels, of those in `names` if there are any."""
    config, rows = PhysicsConfig(size=size), []
    for name, make in (*makers(size).items(), ("mutate", None)):
        if names and name not in names:
            continue
        row = {"size": size, "levels": name, "levels_per_s": {}, "compile_s": {}}
        for batch in batches:
            given = (jax.random.split(jax.random.key(0), batch),)
            if make is None:
                row["edits"] = EDITS
                given += (jax.jit(jax.vmap(makers(size)["random"]))(given[0]),)
                many = jax.vmap(lambda key, level: mutate(key, level, config, EDITS))
            else:
                many = jax.vmap(make)
            made, row["compile_s"][str(batch)] = compiled(many, *given)
            (taken,) = seconds(lambda made=made, given=given: made(*given), repeats=repeats)
            row["levels_per_s"][str(batch)] = batch / taken
        told = ", ".join(f"{rate:,.0f} at {batch}" for batch, rate in row["levels_per_s"].items())
        print(f"{size} {name}: {told} levels/s; compile {max(row['compile_s'].values()):.1f} s", flush=True)
        rows.append(row)
    return rows


def steps_per_second(size, batch, kinds, repeats):
    """A row with these kinds of observation."""
    row = {"size": size, "batch": batch}
    for kind in kinds:
        worlds = AutoReset(minicosm.make(f"physics-{size}", observation_kind=kind), batch)
        steps = max(8, round(ENV_STEPS[size] * (PIXELS if kind == "pixels" else 1) / batch))

        def tick(state, action, key, worlds=worlds):
            state, timestep = worlds.step(state, action)
            used = used_up(timestep.observation, timestep.reward, timestep.terminated, timestep.truncated)
            return state, used, timestep.info["reset"].sum()

        rollout = scanned(tick, steps, lambda key, steps=steps: random_actions(key, steps, batch))
        state, _ = jax.jit(worlds.reset)(jax.random.key(0))
        start = time.perf_counter()
        made = rollout.lower(state, jax.random.key(0)).compile()
        compile_s = time.perf_counter() - start
        rates = []
        for i in range(repeats + 1):  # the first is not counted
            start = time.perf_counter()
            state, total, _ = jax.block_until_ready(made(state, jax.random.key(i)))
            rates.append(batch * steps / (time.perf_counter() - start))
            assert bool(jnp.isfinite(total))
        row[kind] = {"env_steps_per_s": statistics.median(rates[1:]), "compile_s": compile_s}
        print(f"{size} {kind} B = {batch}: {row[kind]['env_steps_per_s']:,.0f} env-steps/s", flush=True)
    return row


def random_actions(key, steps, batch):
    """f32[T, B, A, controls], evenly from -1 to 1."""
    config = PhysicsConfig()
    shape = (steps, batch, 1, config.num_motor_bindings + config.num_thruster_bindings)
    return jax.random.uniform(key, shape, minval=-1.0)


def breakdown(size, batch, repeats):
    """Seconds of a step's parts, of all worlds together, for flat observations."""
    env = Physics(PhysicsConfig(size=size))
    worlds, config = AutoReset(env, batch), env.config
    actions = random_actions(jax.random.key(1), PART_STEPS, batch)

    def ticks(state, action):
        """The controls and the engine."""
        drive = jax.vmap(lambda level, a: controls(level, signals(a, config), config))(state.level, action)
        tick = jax.vmap(functools.partial(engine.tick, config=config.engine))
        scene = state.level.scene
        bodies = jax.lax.scan(lambda b, _: (tick(scene, b, drive), None), state.bodies, None, config.frame_skip)[0]
        return dataclasses.replace(state, bodies=bodies), used_up(bodies.position, bodies.rotation)

    def without_observation(state, action):
        state, timestep = jax.vmap(env.step)(keys, state, action)
        return state, used_up(timestep.reward, timestep.terminated, timestep.truncated)

    def step(state, action):
        state, timestep = jax.vmap(env.step)(keys, state, action)
        return state, used_up(timestep.observation, timestep.reward, timestep.terminated, timestep.truncated)

    def with_reset(state, action):
        state, timestep = worlds.step(state, action)
        return state, used_up(timestep.observation, timestep.reward, timestep.terminated, timestep.truncated)

    def rollout(part):
        return jax.jit(lambda state, actions: jax.lax.scan(part, state, actions))

    keys = jax.random.split(jax.random.key(2), batch)
    played = rollout(with_reset)
    state, _ = jax.jit(worlds.reset)(jax.random.key(0))
    for i in range(6):  # until episodes begin and end at any time
        state, _ = played(state, random_actions(jax.random.key(10 + i), PART_STEPS, batch))
    parts = [rollout(part) for part in (ticks, without_observation, step)]
    calls = [functools.partial(part, state.env_state, actions) for part in parts]
    taken = seconds(*calls, functools.partial(played, state, actions), repeats=repeats)
    names = ("engine", "reward and end", "observation", "reset and new levels")
    grown = [taken[0], *(after - before for before, after in itertools.pairwise(taken))]
    whole = taken[-1]
    row = {
        "size": size,
        "batch": batch,
        "step_us": whole / PART_STEPS / batch * 1e6,
        "shares": {name: value / whole for name, value in zip(names, grown, strict=True)},
    }
    told = ", ".join(f"{name} {share:.0%}" for name, share in row["shares"].items())
    print(f"{size} B = {batch}: {row['step_us']:.2f} us an env-step: {told}", flush=True)
    return row


def merged(rows, new):
    """`rows` with those of `new` in the place of what was measured of the same thing before, in order of size."""
    settings = ("size", "batch", "levels")
    found = {tuple(row.get(name) for name in settings): row for row in rows}
    for row in new:
        about = tuple(row.get(name) for name in settings)
        before = found.get(about, {})
        # kinds of observation and numbers of worlds are entries of dicts
        told = {name: before.get(name, {}) | x if isinstance(x, dict) else x for name, x in row.items()}
        found[about] = before | told
    return sorted(found.values(), key=lambda row: ("sml".index(row["size"]), row.get("batch", 0)))


def earlier(path):
    """What the file of results holds."""
    if not path.exists():
        return {}
    content = json.loads(path.read_text())
    was, now = content.get("commit"), machine.describe()["commit"]
    if was != now:
        print(f"{path} is of commit {was}, and now it is {now}: its other figures stay, and the file will say {now}")
    return content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ("levels", "steps", "breakdown")
    parser.add_argument("--sizes", nargs="+", default=["s", "m", "l"], choices=["s", "m", "l"])
    parser.add_argument("--parts", nargs="+", default=parts, choices=parts)
    parser.add_argument("--kinds", nargs="+", default=OBSERVATIONS, choices=OBSERVATIONS, help="of observation")
    parser.add_argument("--makers", nargs="+", choices=["random", *FAMILIES, "mutate"], help="of levels; default: all")
    parser.add_argument("--levels-batch", type=int, nargs="+", default=[64, 1024, 4096])
    parser.add_argument("--batch", type=int, nargs="+", default=[64, 1024])
    parser.add_argument("--breakdown-batch", type=int, nargs="+", default=[1024])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--merge", action="store_true", help="keep what the file holds of other parts")
    args = parser.parse_args()
    jax.config.update("jax_enable_compilation_cache", False)
    path = machine.results_folder() / "physics_step.json"
    before = earlier(path) if args.merge else {}
    found = {name: before.get(name, []) for name in ("rows", "levels", "breakdown")}

    def keep(name, rows):
        found[name] = merged(found[name], rows)
        path.write_text(json.dumps({**machine.describe(), **found}, indent=1) + "\n")

    for size in args.sizes:
        if "levels" in args.parts:
            keep("levels", levels_per_second(size, args.levels_batch, args.makers, args.repeats))
        if "steps" in args.parts:
            for batch in args.batch:
                keep("rows", [steps_per_second(size, batch, args.kinds, args.repeats)])
        if "breakdown" in args.parts:
            for batch in args.breakdown_batch:
                keep("breakdown", [breakdown(size, batch, args.repeats)])
    print(f"written: {path}")


if __name__ == "__main__":
    main()
