"""What measurements look like on a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from minicosm.studies.throughput import Speed, Way, measure


def measure_with_progress(ways: list[Way], turns: int) -> list[Speed]:
    """`throughput.measure` under a progress bar on standard error."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    speeds: list[Speed] = []
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("")
        for doing, measured in measure(ways, turns):
            progress.update(task, description=doing)
            speeds = measured or speeds
    return speeds


def show_speeds(speeds: list[Speed]) -> None:
    """Print a table of speeds, with each one's multiple of the first."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("random actions", no_wrap=True)
    for column in ("worlds", "env-steps/s", "x the first", "set-up"):
        table.add_column(column, justify="right")
    for speed in speeds:
        times = f"{speed.steps_per_second / speeds[0].steps_per_second:,.1f}"
        cells = (f"{speed.num_envs}", f"{speed.steps_per_second:,.0f}", times, f"{speed.set_up_seconds:.1f} s")
        table.add_row(speed.name, *cells)
    Console().print(table)
