"""What a result file says of the machine, the versions and the commit it was measured on."""

import importlib.metadata
import os
import pathlib
import platform
import subprocess

from minicosm import kernels


def processor() -> str:
    """Model name of the CPU, as the operating system tells it."""
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor() or platform.machine()


def describe() -> dict[str, object]:
    """Machine, versions, commit and the kernels' instruction set or "off", for the head of a result file."""
    git = ["git", "-C", str(pathlib.Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, check=False, capture_output=True, text=True).stdout.strip()
    versions = {}
    for package in ("minicosm", "jax", "jaxlib", "numpy", "gymnasium", "pettingzoo"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "machine": {"processor": processor(), "cores": len(os.sched_getaffinity(0)), "system": platform.system()},
        "python": platform.python_version(),
        "versions": versions,
        "commit": commit,
        "kernels": kernels.instruction_set() if kernels.available() else "off",
    }


def results_folder(accelerator: str | None = None) -> pathlib.Path:
    """benchmarks/results/<accelerator>, or <processor>-<cores>cores without one; made if need be."""
    name = accelerator or f"{processor()}-{len(os.sched_getaffinity(0))}cores"
    slug = "".join(c for c in name.lower().replace(" ", "-") if c.isalnum() or c in "-_")
    folder = pathlib.Path(__file__).parent / "results" / slug
    folder.mkdir(parents=True, exist_ok=True)
    return folder
