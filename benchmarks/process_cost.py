"""What a turn costs a process and those that it has started: processor time, and memory.

Workers run in whichever environment has their implementation, hence this imports Python's own modules only.
"""

import multiprocessing
import pathlib
import time


def cpu_seconds():
    """Processor time of this process and of those it has started, all threads (Linux only)."""
    # the kernel's number of another process's CPU clock, as clock_getcpuclockid(3) makes it
    return time.process_time() + sum(time.clock_gettime(~pid << 3 | 2) for pid in _children())


def peak_memory():
    """`peak_memory_mib`, for a worker's answer: this process's highest resident size, libraries and compiling included.

    What its child processes hold now that is not shared is added. Empty where the system does not tell (it is Linux
    that does).
    """
    try:
        status = pathlib.Path("/proc/self/status").read_text()
    except OSError:
        return {}
    # not getrusage, which counts what the process was before it became this program
    kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    for pid in _children():
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        kib += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Private_"))
    return {"peak_memory_mib": kib / 1024}


def _children():
    return [process.pid for process in multiprocessing.active_children()]
