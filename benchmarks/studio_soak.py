"""Play in the studio on several sockets for minutes: how evenly frames come at 60 Hz, and whether memory stays flat.

    python benchmarks/studio_soak.py --minutes 4

A server of its own is started; each session plays library levels of size L, holds other keys down twice a second, goes
to the next level when one has ended or lasted long, and takes its run back now and then. Results go to
benchmarks/results.
"""

import argparse
import asyncio
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.request

import machine
import numpy as np
from websockets.asyncio.client import connect

from minicosm.envs.physics import level_text, library

HZ = 60
SETTLING = 30.0  # s at the start that do not count
LONGEST = 25.0  # s for which a level is played


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(port):
    ends = time.monotonic() + 180
    while time.monotonic() < ends:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/hello", timeout=5) as answer:
                if json.load(answer)["ready"]:
                    return
        except OSError:
            pass
        time.sleep(0.2)
    raise SystemExit("the server did not become ready")


def resident(pid):
    """MiB that the process holds."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def play(port, number, levels, until):
    """Times at which frames came, s, and how many levels were played."""
    times, played = [], 0
    random = np.random.default_rng(number)
    async with connect(f"ws://127.0.0.1:{port}/socket/play", max_size=2**24) as link:

        async def load():
            name = levels[(number + 8 * played) % len(levels)]
            await link.send(
                json.dumps({"type": "load", "level": json.loads(level_text.text(library.file(name))), "playing": True})
            )

        async def next_level():
            nonlocal played, since
            played, since = played + 1, time.monotonic()
            times.append(np.nan)  # a gap that is meant
            if played % 5 == 4:
                await link.send(json.dumps({"type": "seek", "step": 3}))
            await load()

        next_keys, since = 0.0, time.monotonic()
        async for told in link:
            now = time.monotonic()
            if now > until:
                return times, played
            if isinstance(told, bytes):
                times.append(now)
                if now > next_keys:
                    next_keys = now + 0.5
                    signals = random.choice([-1.0, 0.0, 1.0], 6).tolist()
                    await link.send(json.dumps({"type": "act", "signals": signals}))
                if now - since > LONGEST:
                    await next_level()
                continue
            message = json.loads(told)
            has_stopped = message["type"] == "running" and not message["playing"]
            if message["type"] == "ready" or has_stopped:
                await next_level()
    raise SystemExit(f"session {number} was closed")


async def watch_memory(pid, until):
    seen = []
    while time.monotonic() < until:
        seen.append((time.monotonic(), resident(pid)))
        await asyncio.sleep(2)
    return seen


async def soak(port, pid, args):
    began = time.monotonic()
    until = began + 60 * args.minutes + SETTLING
    levels = library.names("l")
    jobs = [play(port, n, levels, until) for n in range(args.sessions)]
    cpu = cpu_seconds(pid)
    memory, *sessions = await asyncio.gather(watch_memory(pid, until), *jobs)
    cpu = (cpu_seconds(pid) - cpu) / (time.monotonic() - began)
    return began + SETTLING, memory, sessions, cpu


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--sessions", type=int, default=8)
    args = parser.parse_args()
    port = free_port()
    command = [sys.executable, "-m", "minicosm.cli", "edit", "--no-browser", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_for(port)
        time.sleep(20)  # it compiles what buttons will ask for
        start, memory, sessions, cpu = asyncio.run(soak(port, server.pid, args))
    finally:
        server.terminate()
        server.wait(30)
    gaps = [np.diff(np.array([t for t in times if np.isnan(t) or t > start])) for times, _ in sessions]
    gaps = np.concatenate([each[~np.isnan(each)] for each in gaps]) * 1e3
    settled = [(t, size) for t, size in memory if t > start]
    slope = np.polyfit([t for t, _ in settled], [size for _, size in settled], 1)[0] * 60
    result = {
        **machine.describe(),
        "load_average": os.getloadavg(),
        "sessions": args.sessions,
        "minutes": args.minutes,
        "frames": len(gaps),
        "levels_played": sum(played for _, played in sessions),
        "hz": float(1e3 / gaps.mean()),
        "frame_ms": {f"p{q:g}": float(np.percentile(gaps, q)) for q in (1, 10, 50, 90, 99, 99.9, 100)},
        "share_over_25_ms": float((gaps > 25).mean()),
        "share_over_50_ms": float((gaps > 50).mean()),
        "server_cores": cpu,
        "memory_mib": {
            "start": settled[0][1],
            "end": settled[-1][1],
            "most": max(size for _, size in settled),
            "per_minute": slope,
        },
    }
    path = machine.results_folder() / "studio_soak.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({k: v for k, v in result.items() if k not in ("versions",)}, indent=1))
    print(f"written: {path}")


if __name__ == "__main__":
    main()
