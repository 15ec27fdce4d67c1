"""Write docs/benchmarks.md and its figures from the files of results. That page is never edited by hand.

python benchmarks/report.py           # or: make report
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from results_files import ORIGIN, OWN, Figure, Results, Row, read_all

ROOT = pathlib.Path(__file__).parent.parent
RESULTS, PAGE, IMAGES = ROOT / "benchmarks" / "results", ROOT / "docs" / "benchmarks.md", "images/benchmarks"
OURS = ("minicosm", "minicosm-scan", "kernel", "kernel_by_two", "reference")
NAMES = {
    "minicosm": "minicosm",
    "minicosm-scan": "minicosm, loop on the device",
    "kernel": "minicosm, kernel",
    "kernel_by_two": "minicosm, kernel, two ticks a call",
    "reference": "minicosm, pure JAX",
    "jaxnav": "JaxNav",
    "jaxued": "JaxUED",
    "jaxued-replay": "JaxUED, one level replayed",
    "xland": "XLand-MiniGrid",
    "minigrid": "MiniGrid, SyncVectorEnv",
    "box2d": "Box2D",
    "envpool": "envpool",
    "kinetix": "Kinetix",
    "jax2d": "Jax2D",
    "gymnasium": "Gymnasium",
    "gymnasium-sync": "Gymnasium, SyncVectorEnv",
    "gymnasium-async": "Gymnasium, AsyncVectorEnv",
    "gymnasium-vector": "Gymnasium, its vectorised class",
    "vmas": "VMAS, one thread",
    "vmas-threads": "VMAS, a thread for each core",
    "supersuit": "MPE in SuperSuit",
    "supersuit-processes": "MPE in SuperSuit, a process for each core",
}
ABOUT = {  # by name of the file: heading, and what the reader must know
    "batch_sweep": (
        "Number of worlds",
        "Automatic reset onto new levels, random actions, the loop on the device. Bytes are what the compiled program "
        "needs, by XLA's count, with arguments and results.",
    ),
    "nav_throughput": (
        "Navigation",
        "Beside JaxMARL's JaxNav: 11×11 maps, 200 beams, 500-step episodes, random actions, new maps at every reset.",
    ),
    "nav_device": ("Navigation, sweep on one device", "Automatic reset, random actions, the loop on the device."),
    "maze_throughput": (
        "Mazes",
        "13×13, a new level at every reset. JaxUED's replayed form draws no levels, and so is another task; "
        "XLand-MiniGrid and MiniGrid, which is stepped from Python, play their Empty-16x16.",
    ),
    "physics_throughput": ("Physics", "Whole environment steps, with new random levels at every reset."),
    "physics_step": (
        "Physics, ours alone",
        "By kind of observation; the making of levels; and where a step with flat observations goes.",
    ),
    "lander_throughput": (
        "Lunar lander",
        "Our level beside Gymnasium's on Box2D, in a SyncVectorEnv, and envpool's. Ours steps two ticks of 1/60 s an "
        "action, theirs one of 1/50 s.",
    ),
    "cpu_peers_cartpole": (
        "Cart-pole, another simulation",
        "Not like for like: ours is a level of the rigid-body engine, which solves contacts and joints in two ticks of "
        "four sub-steps an action and observes 596 numbers; Gymnasium's CartPole-v1, and envpool's, integrate four "
        "equations and observe 4 numbers. All but the loop on the device are stepped from Python.",
    ),
    "cpu_peers_vmas": (
        "Four robots, beside VMAS",
        "Both hand out torch tensors on the CPU, in episodes of 500 steps with as many beams. Ours see walls and "
        "robots, on new maps, and end where they collide; VMAS's `navigation` has no walls, its beams see agents only, "
        "and its agents are discs that push each other. Threads of torch's wait asleep.",
    ),
    "cpu_peers_supersuit": (
        "Agents side by side, beside MPE in SuperSuit",
        "Our four robots with 200 beams through `agents_as_envs`, of which only those that still play are counted, "
        "beside three agents of simple_spread, which has no lidar.",
    ),
    "engine_throughput": ("Rigid-body engine", "Ticks of Kinetix's own random levels, with fixed random actions."),
    "engine_scaling": (
        "Rigid-body engine, number of shapes",
        "Half boxes, half discs, in heaps in a room that grows with their number.",
    ),
    "engine_device": ("Rigid-body engine, sweep on one device", "Kinetix's random levels, tiled over the batch."),
    "ppo_throughput": (
        "Whole training",
        "Playing and learning by PPO, with the same net, batch, epochs and minibatches on both sides.",
    ),
    "floor": (
        "The floor of every hot function",
        "Operations are counted in the optimised program, loops as often as they run; where a kernel in C++ does the "
        "work, in that of the pure JAX reference. Bytes are arguments and results. At best a step takes the longer of "
        "operations at the greatest rate of arithmetic and bytes at the bandwidth of memory, both measured in the same "
        "process; the gap is how many times as long it took. Below 1 the kernel leaves out work that the reference "
        "does. See the [performance guide](performance.md#how-far-from-the-floor).",
    ),
    "adapters_throughput": ("Interfaces", "The same worlds through each interface, in one process."),
    "adapters_overhead": ("What the VectorEnv adds", "A run of these alone."),
}
HEAD = """# Benchmarks

*Made by `benchmarks/report.py` from the files under `benchmarks/results`. Do not edit: measure, then `make report`.*

In each table all sides took turns on one machine, and medians of the turns count. The machines were shared with other
work: trust ratios, and of these the large ones. "Per CPU" is per second of processor time, which other work disturbs
less. A ratio below 1 means that the other side was faster. What is not in a table was not measured. Several figures in
a cell, "4 / 7", are in the order of the columns of rates. Peak memory is the highest resident size of a side's process,
with its libraries and what compiling took, most of which a bigger batch does not add to.
"""

GROWTH = {  # names of the growth law's parts
    "cpu_us_per_tick": "CPU time of a tick, µs",
    "contacts": "touching pairs",
    "pairs": "pairs",
    "memory_bytes_per_world": "bytes of a world",
}
LEVELS = "Levels a second, so many made at a time, and in brackets the seconds to compile."
SHARES = (
    "Shares of a step's time: four programs that each do one thing more play the same steps in turns, and a share is "
    "what the median grows by."
)
FLOOR = (
    "The floor: operations and bytes that XLA counts in one step, and the gap to what the machine's best rate of "
    "float32 arithmetic, of those measured beside these rows, would allow."
)


def page(found: Sequence[Results]) -> str:
    """The text of the page."""
    order = [*ABOUT, *sorted({results.name for results in found} - set(ABOUT))]
    parts = [HEAD, _machines(found)]
    for name in order:
        of_name = [results for results in found if results.name == name]
        if of_name:
            title, note = ABOUT.get(name, (name.replace("_", " ").capitalize(), ""))
            parts += [f"## {title}\n", *([f"{note}\n"] if note else [])]
            parts += [_section(results) for results in of_name]
    return "\n".join(parts)


def _machines(found: Sequence[Results]) -> str:
    rows = {}
    for results in found:
        told = results.head.get("machine", {})
        cells = (results.machine, told.get("processor", ""), told.get("cores", ""), results.head.get("device", ""))
        rows[results.machine] = cells if cells[3] or results.machine not in rows else rows[results.machine]
    return "## Machines\n\n" + _table(("folder", "processor", "cores", "device"), list(rows.values()))


def _section(results: Results) -> str:
    parts = [f"### On {results.machine}\n", _provenance(results)]
    if "ceilings" in results.head:
        return "\n".join([*parts, _ceilings(results), _gaps(results)])
    parts.append(_speeds(results))
    if results.head.get("levels"):
        parts += [f"{LEVELS}\n", _levels(results.head["levels"])]
    if results.head.get("breakdown"):
        parts += [f"{SHARES}\n", _shares(results.head["breakdown"])]
    if isinstance(results.head.get("levels_per_s"), dict):
        parts.append(_makers(results.head["levels_per_s"]))
    if results.head.get("minigrid_env_steps_per_s"):
        parts.append(_minigrid(results))
    if any(row.floor for row in results.rows):
        parts += [f"{FLOOR}\n", _floors(results)]
    parts += [f"Not measured: {why}.\n" for why in results.head.get("stopped", ())]
    if results.head.get("growth"):
        parts.append(_growth(results))
    if sweeps(results):
        caption = f"{results.unit} against the number of worlds, on {results.machine}"
        parts.append(f"![{caption}]({IMAGES}/{results.machine}-{results.name}.svg)\n")
    return "\n".join(part for part in parts if part)


def _provenance(results: Results) -> str:
    head = results.head
    versions = {name: version for name, version in (head.get("versions") or {}).items() if version}
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    peers = ", ".join(f"{name} {version}" for name, version in (head.get("peer_versions") or {}).items())
    parts = [f"Commit `{head.get('commit', 'unknown')}`", f"Python {head.get('python', 'unknown')}", told]
    parts += [f"kernels {head['kernels']}"] if head.get("kernels") else []
    parts += [f"the other side: {peers}"] if peers else []
    return "; ".join(part for part in parts if part) + f". Rates are in {results.unit}.\n"


def _speeds(results: Results) -> str:
    names = results.implementations
    peers = [name for name in names if name not in OURS] if names[0] in OURS else []
    return _stacked(results) if peers and len(names) > 2 else _side_by_side(results, peers)


def _side_by_side(results: Results, peers: Sequence[str]) -> str:
    """A line for each row, a column for each implementation."""
    names, shown = results.implementations, _shown(results)
    header = [*_settings(results), *(NAMES.get(name, name) for name in names)]
    header += [f"over {NAMES.get(name, name)} (per CPU)" for name in peers]
    header += [title for title, _ in shown]
    weighs = any(row.memory_bytes_per_world is not None for row in results.rows)
    header += ["bytes a world"] if weighs else []
    lines = []
    for row in results.rows:
        cells = _setting(row, results)
        cells += [number(row.figures[name].rate) if name in row.figures else "" for name in names]
        cells += [_ratio(row, names[0], name) for name in peers]
        cells += [" / ".join(_figure(figure, field) for figure in row.figures.values()) for _, field in shown]
        cells += [number(row.memory_bytes_per_world) if row.memory_bytes_per_world else ""] if weighs else []
        lines.append(cells)
    return _table(*_with_origin(results.head, results.rows, header, lines))


def _stacked(results: Results) -> str:
    """A line for each implementation of each row: many of them side by side would be too wide to read."""
    first, shown = results.implementations[0], _shown(results)
    header = [*_settings(results), "implementation", results.unit, f"{NAMES.get(first, first)} over it (per CPU)"]
    header += [title for title, _ in shown]
    of, lines = [], []
    for row in results.rows:
        for i, (name, figure) in enumerate(row.figures.items()):
            cells = _setting(row, results)
            cells = cells if i == 0 else [""] * len(cells)
            ratio = "" if name in OURS else _ratio(row, first, name)
            cells += [NAMES.get(name, name), number(figure.rate), ratio]
            lines.append([*cells, *(_figure(figure, field) for _, field in shown)])
            of.append(row)
    return _table(*_with_origin(results.head, of, header, lines))


def _shown(results: Results) -> list[tuple[str, str]]:
    """Heading and field of what else some figure tells."""
    figures = [figure for row in results.rows for figure in row.figures.values()]
    told = (("compile, s", "compile_s"), ("peak memory, MiB", "memory_mib"))
    return [(title, field) for title, field in told if any(getattr(figure, field) for figure in figures)]


def _settings(results: Results) -> list[str]:
    """Headings of the columns that say what a row is of."""
    names = dict.fromkeys(name for row in results.rows for name in row.settings)
    return [*names, *(["worlds"] if any(row.worlds is not None for row in results.rows) else [])]


def _setting(row: Row, results: Results) -> list[str]:
    told = {**row.settings, "worlds": "" if row.worlds is None else f"{row.worlds:,}"}
    return [str(told.get(name, "")) for name in _settings(results)]


def _figure(figure: Figure, field: str) -> str:
    value = getattr(figure, field)
    return "–" if not value else f"{value:,.0f}" if value >= 1 else f"{value:.1f}"


def _with_origin(
    head: Mapping[str, Any], rows: Sequence[Row], header: Sequence[str], lines: Sequence[Sequence[str]]
) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Further columns for the commit and kernels, where some of `rows`, each of which has a line, have others."""
    names = [name for name in ORIGIN if any(name in row.origin for row in rows)]
    told = [[row.origin.get(name) or str(head.get(name, "unknown")) for name in names] for row in rows]
    return [*header, *names], [[*line, *cells] for line, cells in zip(lines, told, strict=True)]


def _ratio(row: Row, ours: str, peer: str) -> str:
    first = next((row.figures[name] for name in row.figures if name in OURS), row.figures.get(ours))
    other = row.figures.get(peer)
    if first is None or other is None:
        return ""
    wall = times(first.rate / other.rate)
    if first.per_cpu_second and other.per_cpu_second:
        return f"{wall} ({times(first.per_cpu_second / other.per_cpu_second)})"
    return wall


def _minigrid(results: Results) -> str:
    """A sentence: MiniGrid ran by itself, in this process, and takes no turns."""
    theirs = results.head["minigrid_env_steps_per_s"]
    ours = [row.figures[OWN].rate for row in results.rows if row.worlds == 64 and OWN in row.figures]
    ratio = f"; minicosm's 64 worlds above make {times(ours[0] / theirs)} as many" if ours else ""
    return (
        f"MiniGrid's own Empty-16x16, 64 worlds in a SyncVectorEnv, ran once after these turns, and did "
        f"{number(theirs)} {results.unit}{ratio}.\n"
    )


def _levels(rows: Sequence[Mapping[str, Any]]) -> str:
    batches = tuple(dict.fromkeys(batch for row in rows for batch in row["levels_per_s"]))
    header = ["size", "levels", *(f"{int(batch):,}" for batch in batches)]
    cells = []
    for row in rows:
        name = f"{row['levels']}, {row['edits']} edits each" if "edits" in row else row["levels"]
        rates = [(row["levels_per_s"].get(batch), row["compile_s"].get(batch)) for batch in batches]
        told = [f"{number(rate)} ({compile_s:.1f})" if rate else "" for rate, compile_s in rates]
        cells.append([row["size"], name, *told])
    return _table(header, cells)


def _makers(rates: Mapping[str, float]) -> str:
    told = ", ".join(f"{name} {number(rate)}" for name, rate in rates.items())
    return f"Ours alone, levels a second, 4,096 at a time: {told}.\n"


def _shares(rows: Sequence[Mapping[str, Any]]) -> str:
    names = tuple(dict.fromkeys(name for row in rows for name in row["shares"]))
    header = ["size", "worlds", "µs an env-step", *names]
    return _table(
        header,
        [
            [row["size"], f"{row['batch']:,}", f"{row['step_us']:.2f}"]
            + [f"{round(100 * row['shares'][name])}%" if name in row["shares"] else "" for name in names]
            for row in rows
        ],
    )


def _floors(results: Results) -> str:
    """Against the greatest rate of arithmetic in the file: other work has made some of them too low."""
    columns = ("operations_per_env_step", "bytes_per_env_step", "env_steps_per_s_at_peak", "gap")
    header = ["setting", "operations a step", "bytes a step", "steps/s at best", "gap"]
    peak, rows = max((row.floor.get("peak_operations_per_s", 0.0) for row in results.rows), default=0.0), []
    for row in results.rows:
        if row.floor:
            setting = ", ".join(f"{name} {value}" for name, value in {**row.settings, "worlds": row.worlds}.items())
            higher = peak / row.floor["peak_operations_per_s"] if row.floor.get("peak_operations_per_s") else 1.0
            told = {name: row.floor[name] * higher for name in columns[2:] if row.floor.get(name) is not None}
            cells = [{**row.floor, **told}.get(name) for name in columns]
            shown = [number(cell) if cell is not None else "" for cell in cells[:-1]]
            rows.append([setting, *shown, f"{cells[-1]:.1f}" if cells[-1] is not None else ""])
    return _table(header, rows)


def _growth(results: Results) -> str:
    """The powers with which things grow, and the figure's place."""
    header = ("grows with the number of shapes to the power of", "over all", "between the last two")
    rows = [
        (f"{GROWTH[name]}", *(f"{power:.2f}" for power in powers)) for name, powers in results.head["growth"].items()
    ]
    image = f"{IMAGES}/{results.machine}-{results.name}.svg"
    return _table(header, rows) + f"\n![Cost and memory against the number of shapes, on {results.machine}]({image})\n"


def _ceilings(results: Results) -> str:
    ceilings = results.head["ceilings"]
    rates = ", ".join(f"{number(rate)} in {name.replace('_', ' ')}" for name, rate in ceilings["rates"].items())
    return f"Ceilings: {rates}, operations/s; memory {number(ceilings['bytes_per_s'])}B/s.\n"


def _gaps(results: Results) -> str:
    """A table of floors alone, of a file that measured its ceilings."""
    header = (
        "function",
        "worlds",
        "operations a step",
        "bytes a step",
        "steps/s at best",
        "bound by",
        "steps/s",
        "gap",
    )
    names = ("operations_per_env_step", "bytes_per_env_step", "env_steps_per_s_at_peak")
    rows = []
    for row in results.rows:
        floor, (figure,) = row.floor, row.figures.values()
        cells = [row.settings["function"], f"{row.worlds:,}", *(number(floor[name]) for name in names)]
        rows.append([*cells, floor["bound"], number(figure.rate), f"{floor['gap']:.2g}"])
    return _table(header, rows)


def sweeps(results: Results) -> dict[tuple[str, str], list[tuple[int, float]]]:
    """Points (worlds, rate) by setting and implementation, of settings with 3 numbers of worlds or more.

    Of one implementation at least two are there.
    """
    lines: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for row in results.rows:
        for name, figure in row.figures.items():
            if row.worlds is not None:
                setting = ", ".join(f"{key} {value}" for key, value in row.settings.items())
                lines.setdefault((setting, name), []).append((row.worlds, figure.rate))
    counts = {line: len({worlds for worlds, _ in points}) for line, points in lines.items()}
    swept = {setting for (setting, _), count in counts.items() if count >= 3}
    return {line: sorted(points) for line, points in lines.items() if line[0] in swept and counts[line] >= 2}


def number(value: float) -> str:
    """A rate in three digits: 3.37 M, 416 k, 268."""
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            scaled = value / size
            return f"{scaled:.{2 if scaled < 10 else 1 if scaled < 100 else 0}f}{letter}"
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def times(ratio: float) -> str:
    """A ratio in two or three digits: 111x, 2.3x, 0.15x."""
    return f"{ratio:.0f}x" if ratio >= 10 else f"{ratio:.1f}x" if ratio >= 1 else f"{ratio:.2f}x"


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = ["| " + " | ".join(str(cell) for cell in row) + " |" for row in (header, *rows)]
    lines.insert(1, "|" + "---|" * len(header))
    return "\n".join(lines) + "\n"


def draw(found: Sequence[Results], folder: pathlib.Path) -> list[pathlib.Path]:
    """A log-log figure for every file that holds a sweep."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.hashsalt": "minicosm", "svg.fonttype": "none"})  # equal figures give equal files
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for results in found:
        path = folder / f"{results.machine}-{results.name}.svg"
        if lines := sweeps(results):
            _draw_one(results, lines, path)
            written.append(path)
        elif results.head.get("growth"):
            _draw_growth(results, path)
            written.append(path)
    return written


def _draw_one(results: Results, lines: Mapping[tuple[str, str], list[tuple[int, float]]], path: pathlib.Path) -> None:
    """A panel for each setting with a line for each implementation; of one implementation, one panel of settings."""
    from matplotlib import pyplot

    if len({name for _, name in lines}) == 1:
        lines = {(name, label.removeprefix("family ")): points for (label, name), points in lines.items()}
    panels = list(dict.fromkeys(panel for panel, _ in lines))
    colours = {name: f"C{i}" for i, name in enumerate(dict.fromkeys(name for _, name in lines))}
    styles: dict[str, str] = {}
    compared = any(name in OURS for name in colours)  # with other projects, whose lines are broken
    size = (1.6 + 3.2 * len(panels), 3.4)
    figure, all_axes = pyplot.subplots(1, len(panels), figsize=size, sharey=True, squeeze=False, layout="constrained")
    for axes, panel in zip(all_axes[0], panels, strict=True):
        for (of, name), points in lines.items():
            if of == panel:
                style = "--" if compared and name not in OURS else "-"
                axes.plot(
                    *zip(*points, strict=True), style, marker="o", markersize=3, color=colours[name], linewidth=1.2
                )
                styles[name] = style
        axes.set(xscale="log", yscale="log", xlabel="worlds", title=NAMES.get(panel, panel))
        worlds = sorted({count for (of, _), points in lines.items() if of == panel for count, _ in points})
        axes.set_xticks(worlds, [f"{count:,}" for count in worlds], fontsize=7, rotation=30 if len(worlds) > 4 else 0)
        axes.minorticks_off()
        axes.grid(which="major", linewidth=0.4)
    all_axes[0][0].set_ylabel(results.unit)
    handles = [
        pyplot.Line2D([], [], linestyle=styles[name], color=colour, label=NAMES.get(name, name))
        for name, colour in colours.items()
    ]
    figure.legend(handles=handles, loc="outside right center", fontsize=7, frameon=False)
    figure.suptitle(f"{ABOUT.get(results.name, (results.name,))[0]}, {results.machine}", fontsize=10)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _draw_growth(results: Results, path: pathlib.Path) -> None:
    """A panel for each thing that grows with the number of shapes."""
    from matplotlib import pyplot

    names = [name for name in results.head["growth"] if name in results.rows[0].measured]
    figure, all_axes = pyplot.subplots(1, len(names), figsize=(0.6 + 3.0 * len(names), 3.2), layout="constrained")
    for axes, name in zip(all_axes, names, strict=True):
        shapes = [row.settings["shapes"] for row in results.rows]
        axes.plot(shapes, [row.measured[name] for row in results.rows], marker="o", markersize=3, linewidth=1.2)
        axes.set(xscale="log", yscale="log", xlabel="shapes that move", title=GROWTH[name])
        axes.set_xticks(shapes, [str(count) for count in shapes])
        axes.minorticks_off()
        axes.grid(which="major", linewidth=0.4)
    figure.suptitle(f"{ABOUT[results.name][0]}, {results.machine}", fontsize=10)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    found = read_all(RESULTS)
    PAGE.write_text(page(found), encoding="utf-8")
    for path in (PAGE, *draw(found, ROOT / "docs" / IMAGES)):
        print(f"written: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
