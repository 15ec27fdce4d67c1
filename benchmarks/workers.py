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


def alternate(workers: dict[str, Worker], repeats: int) -> dict[str, dict[str, float]]:
    """Let the workers take `repeats` turns, A B A B …, then end them; medians per worker."""
    runs = {name: [] for name in workers}
    for _ in range(repeats):
        for name, worker in workers.items():
            runs[name].append(worker.run())
    figures = {}
    for name, worker in workers.items():
        figures[name] = {
            "env_steps_per_s": statistics.median(r["env_steps"] / r["wall_s"] for r in runs[name]),
            "env_steps_per_cpu_s": statistics.median(r["env_steps"] / r["cpu_s"] for r in runs[name]),
            "resets_per_env_step": sum(r["resets"] for r in runs[name]) / sum(r["env_steps"] for r in runs[name]),
            **worker.description,
        }
        worker.close()
    return figures
