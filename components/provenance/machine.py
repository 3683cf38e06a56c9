"""On what a training ran: sums are rounded in another order by another processor, by more threads, by a GPU.

`machine.json` beside a bundle lists the machines that worked on it, one unless it was killed and gone on with elsewhere. It is no
part of the bundle, which holds nothing of the machine that made it.
"""

import json
import platform
from pathlib import Path
from typing import Any

from components.cores import usable_cores
from components.files import write_text
from components.nvidia import usable_gpus
from components.processor import has_amx, processor_name

FILE = "machine.json"


def this_machine() -> str:
    """This machine, as far as it decides how sums are rounded: `x86_64, Intel(R) Xeon(R) CPU @ 2.20GHz, 2 threads, no GPU`."""
    gpus = ", ".join(usable_gpus()) or "no GPU"
    processor = f"{processor_name()} with AMX" if has_amx() else processor_name()
    return f"{platform.machine()}, {processor}, {usable_cores()} threads, {gpus}"


def note_machine(out: Path) -> None:
    """Add this machine to a step's `machine.json`, unless it stands there as the last one."""
    machines = read_machines(out)
    if machines[-1:] != [this_machine()]:
        write_text(out / FILE, json.dumps([*machines, this_machine()], indent=1, ensure_ascii=False) + "\n")


def read_machines(out: Path) -> list[str]:
    """The machines that worked on a step's output, in their order; empty where it was made before they were noted."""
    file = out / FILE
    found: list[Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
    return [str(machine) for machine in found]
