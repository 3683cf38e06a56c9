"""What the processor is called, and whether it multiplies matrices of bfloat16."""

import platform
from pathlib import Path

_TOLD = Path("/proc/cpuinfo")


def processor_name(told: Path = _TOLD) -> str:
    """The processor's name; Linux tells it, elsewhere Python knows it or its family.

    Args:
        told: Linux's file on its processors.
    """
    return _field("model name", told) or platform.processor() or "unknown processor"


def has_amx(told: Path = _TOLD) -> bool:
    """Whether it has Intel's AMX with bfloat16 (Xeons since Sapphire Rapids, 2023), and the system lets programs use it.

    Args:
        told: Linux's file on its processors; other systems have none, and are taken to have no AMX.
    """
    return "amx_bf16" in _field("flags", told).split()


def _field(name: str, told: Path) -> str:
    """A field of the first processor; empty where it is not told."""
    lines = told.read_text(encoding="utf-8").splitlines() if told.is_file() else []
    values = (value.strip() for key, _, value in (line.partition(":") for line in lines) if key.strip() == name)
    return next(values, "")
