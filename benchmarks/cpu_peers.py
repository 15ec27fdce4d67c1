"""Steps per second and peak memory beside the CPU environments that people use, each stepped from Python.

    python -m venv .venv-cpupeers
    .venv-cpupeers/bin/pip install torch==2.13.0
    .venv-cpupeers/bin/pip install gymnasium==1.4.0 envpool==1.2.5 vmas==1.5.2 pettingzoo==1.27.0 supersuit==3.11.0 \
        mpe2==1.1.1
    python benchmarks/cpu_peers.py --peer-python .venv-cpupeers/bin/python      # what it lacks is left out
    python benchmarks/cpu_peers.py --peer-python ... --sections vmas --batch 8 --repeats 1 --out trial

Three sections, each a file of results:

- `cartpole`: our rigid-body level of that name, solved for contacts and joints (two ticks of four sub-steps an action,
  596 numbers observed), beside Gymnasium's CartPole-v1, which integrates four equations (4 numbers): another, far
  smaller computation. Theirs through `SyncVectorEnv`, `AsyncVectorEnv` (16 processes at most), Gymnasium's own
  vectorised class, and envpool's.
- `vmas`: our navigation with 4 robots, whose beams see walls and robots, arrays as torch tensors, beside VMAS's
  `navigation` with 4 agents, whose beams see agents only, on torch's CPU: on one thread, and on one for each core.
  Episodes of 500 steps and as many beams (`--beams`) in both. Threads of torch's wait asleep in all processes: with
  anything else on the machine, those that spin, as is the default, made VMAS on two threads up to sixty times slower
  than on one.
- `supersuit`: the same navigation through `agents_as_envs`, beside MPE's simple_spread with 3 agents through SuperSuit,
  in one process and in one for each core. Agent-steps are counted; of ours, only those of agents that still play.

`minicosm` is stepped from Python as the others are, `minicosm-scan` is the same worlds with the loop on the device.
Random actions, drawn before, in a ring of 16. A call that only resets a world is not counted as its step. Processes
stay alive side by side and take turns of about `--seconds`; medians count. Memory is the highest resident size of the
process, its libraries and compiling included, plus what its child processes have for themselves.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import machine
from workers import Worker, alternate

WORKER = pathlib.Path(__file__).parent / "cpu_peers_worker.py"


@dataclasses.dataclass(frozen=True)
class Peer:
    """One implementation of others: the packages it needs, and the numbers of worlds it is measured at."""

    packages: tuple[str, ...]
    least: int = 1
    most: int = 1_000_000


@dataclasses.dataclass(frozen=True)
class Section:
    """Ours and theirs of one comparison; `unit` is what is counted."""

    unit: str
    batches: tuple[int, ...]
    peers: dict[str, Peer]
    needs: tuple[str, ...] = ()  # packages that ours needs


SECTIONS = {
    "cartpole": Section(
        "env_steps",
        (1, 16, 64, 1024),
        {
            "gymnasium-sync": Peer(("gymnasium",)),
            "gymnasium-async": Peer(("gymnasium",), most=16),
            "gymnasium-vector": Peer(("gymnasium",)),
            "envpool": Peer(("envpool",)),
        },
    ),
    "vmas": Section(
        "env_steps",
        (64, 1024, 4096),
        {"vmas": Peer(("vmas", "torch")), "vmas-threads": Peer(("vmas", "torch"))},
        needs=("torch",),
    ),
    "supersuit": Section(
        "agent_steps",
        (1, 64, 1024),
        {
            "supersuit": Peer(("supersuit", "mpe2", "pettingzoo")),
            "supersuit-processes": Peer(("supersuit", "mpe2", "pettingzoo"), least=64),
        },
    ),
}


def versions(python: str) -> dict[str, str]:
    """What `python` has of the packages that any of these needs, and of those that matter to their speed."""
    names = {package for section in SECTIONS.values() for peer in section.peers.values() for package in peer.packages}
    code = (
        "import importlib.metadata as m, json, sys\n"
        "found = {d.metadata['Name'].lower(): d.version for d in m.distributions() if d.metadata['Name']}\n"
        "print(json.dumps({name: found[name] for name in sys.argv[1:] if name in found}))"
    )
    command = [python, "-c", code, *sorted({*names, "numpy"})]
    try:
        answer = subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"{python} does not run as a Python ({error}); name one, as in --help") from error
    return json.loads(answer.stdout)


def compare(section: str, setting: dict[str, int], pythons: dict[str, str], args: argparse.Namespace) -> dict:
    """One row: all implementations at one `setting` (of the number of worlds, and of beams), taking turns."""
    flags = [text for name, value in setting.items() for text in (f"--{name}", str(value))]
    flags += ["--seconds", str(args.seconds)]
    workers = {name: Worker([python, str(WORKER), section, name, *flags]) for name, python in pythons.items()}
    return {**setting, **alternate(workers, args.repeats, SECTIONS[section].unit)}


def table(row: dict, unit: str) -> str:
    """One row as text: rates, ratios of `minicosm` and of the scan to each, memory."""
    rate, per_cpu = f"{unit}_per_s", f"{unit}_per_cpu_s"
    ours, scan = row["minicosm"], row["minicosm-scan"]
    settings = [f"{name} {value}" for name, value in row.items() if isinstance(value, int)]
    lines = [f"{', '.join(settings)}: {unit.replace('_', '-')}/s"]
    for name, figures in row.items():
        if not isinstance(figures, dict):
            continue
        line = f"  {name:20} {figures[rate]:12,.0f}  {figures['peak_memory_mib']:6,.0f} MiB"
        if name not in ("minicosm", "minicosm-scan"):
            line += (
                f"  minicosm {ours[rate] / figures[rate]:.2f}x, per CPU-second {ours[per_cpu] / figures[per_cpu]:.2f}x"
            )
            line += f", scan {scan[rate] / figures[rate]:.2f}x"
        lines.append(line)
    return "\n".join(lines)


def peers_of(name: str, theirs: dict[str, str], python: str) -> dict[str, Peer]:
    """Those of a section whose packages are there; says which are left out, and why."""
    found = {}
    for peer, needs in SECTIONS[name].peers.items():
        if missing := [package for package in needs.packages if package not in theirs]:
            print(f"{name}: {peer} is left out, since {python} lacks {', '.join(missing)}", flush=True)
        else:
            found[peer] = needs
    return found


def measure(name: str, peers: dict[str, Peer], head: dict[str, object], args: argparse.Namespace) -> None:
    """One section: print its rows, and write them as they come."""
    section, rows = SECTIONS[name], []
    folder = args.out or machine.results_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"cpu_peers_{name}.json"
    settings = [{"batch": batch} for batch in args.batch or section.batches]
    if name == "vmas":
        settings = [{"beams": beams, **setting} for beams in args.beams for setting in settings]
    for setting in settings:
        pythons = {"minicosm": sys.executable, "minicosm-scan": sys.executable}
        pythons |= {peer: args.peer_python for peer, at in peers.items() if at.least <= setting["batch"] <= at.most}
        rows.append(compare(name, setting, pythons, args))
        print(table(rows[-1], section.unit), flush=True)
        path.write_text(json.dumps({**head, "rows": rows}, indent=1) + "\n")
    print(f"written: {path}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", default=sys.executable, help="python of the environment that has the others")
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--batch", type=int, nargs="+", help="numbers of worlds, in place of each section's own")
    parser.add_argument(
        "--beams", type=int, nargs="+", default=[12], help="in section vmas; VMAS's default is 12, ours 200"
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="of one turn, about")
    parser.add_argument("--out", type=pathlib.Path, help="folder; default: this machine's under benchmarks/results")
    args = parser.parse_args()
    for name in ("batch", "beams", "repeats", "seconds"):
        value = getattr(args, name)
        if value is not None and min(value if isinstance(value, list) else [value]) <= 0:
            parser.error(f"--{name} is {value}; expected more than zero")
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["OMP_WAIT_POLICY"] = "passive"  # a spinning thread keeps the one that it waits for from the core
    os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)  # compiling is timed, too
    own, theirs = versions(sys.executable), versions(args.peer_python)
    for name in args.sections:
        if missing := [package for package in SECTIONS[name].needs if package not in own]:
            print(f"{name}: left out, since {sys.executable}, which runs ours, lacks {', '.join(missing)}", flush=True)
        elif peers := peers_of(name, theirs, args.peer_python):
            packages = {"numpy", *(package for peer in peers.values() for package in peer.packages)}
            told = {package: theirs[package] for package in sorted(packages) if package in theirs}
            measure(name, peers, {**machine.describe(), "peer_versions": told}, args)


if __name__ == "__main__":
    main()
