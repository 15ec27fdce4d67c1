"""Implementations compared in processes of their own, each in the environment that has it, taking turns."""

import json
import statistics
import subprocess


class Worker:
    """A process that holds one compiled implementation; it answers each `run` with a line of JSON."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.description = self.answer()

    def answer(self) -> dict[str, float]:
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise RuntimeError(f"the worker ended with status {self.process.wait()}: {self.process.args}")

    def run(self) -> dict[str, float]:
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def alternate(workers: dict[str, Worker], repeats: int, unit: str = "env_steps") -> dict[str, dict[str, float]]:
    """Let the workers take `repeats` turns, A B A B …, then end them; medians per worker, rates in `unit` per second.

    Of workers that tell `peak_memory_mib`, the highest is kept.
    """
    runs = {name: [] for name in workers}
    for _ in range(repeats):
        for name, worker in workers.items():
            runs[name].append(worker.run())
    figures = {}
    for name, worker in workers.items():
        memory = [r["peak_memory_mib"] for r in runs[name] if "peak_memory_mib" in r]
        figures[name] = {
            f"{unit}_per_s": statistics.median(r[unit] / r["wall_s"] for r in runs[name]),
            f"{unit}_per_cpu_s": statistics.median(r[unit] / r["cpu_s"] for r in runs[name]),
            f"resets_per_{unit.removesuffix('s')}": sum(r["resets"] for r in runs[name])
            / sum(r[unit] for r in runs[name]),
            **({"peak_memory_mib": max(memory)} if memory else {}),
            **worker.description,
        }
        worker.close()
    return figures
