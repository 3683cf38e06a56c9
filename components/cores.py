"""How many cores there are to spread work over."""

import math
import os
from pathlib import Path


def usable_cores(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """How many threads may run at once here: a container's share, where the system tells.

    Args:
        quota: Linux's file of a container's processor time, `<microseconds or max> <of so many microseconds>`. More threads than it
            has room for are stopped again and again.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share, _, period = quota.read_text(encoding="ascii").partition(" ") if quota.is_file() else ("max", "", "")
    return min(cores, max(1, math.ceil(int(share) / int(period)))) if share.isdecimal() else cores
