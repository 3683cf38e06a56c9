"""What Linux tells of a processor."""

from pathlib import Path

import pytest

from components.processor import has_amx, processor_name

_TOLD = """processor\t: {number}
model name\t: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
flags\t\t: fpu avx512f {flags}
bugs\t\t: spectre_v1

"""


@pytest.mark.parametrize(("flags", "wanted"), [("avx512_bf16 amx_bf16 amx_tile", True), ("avx512_bf16", False)])
def test_name_and_amx_are_those_of_the_first_processor(tmp_path: Path, flags: str, wanted: bool) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text("".join(_TOLD.format(number=number, flags=flags) for number in range(2)), encoding="utf-8")
    assert processor_name(told) == "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz"
    assert has_amx(told) is wanted


def test_without_linuxs_file_there_is_a_name_and_no_amx(tmp_path: Path) -> None:
    assert processor_name(tmp_path / "none")
    assert not has_amx(tmp_path / "none")
