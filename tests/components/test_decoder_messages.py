"""What other code writes on stderr while images are decoded reaches the user; what the decoders write does not."""

import os
import subprocess
import sys

import pytest

from components.decoder_messages import DecoderMessages


def test_damage_is_told_and_stays_off_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    messages = DecoderMessages()
    with messages.watch() as damage:
        os.write(2, b"Corrupt JPEG data: premature end of data segment\n")
    assert damage == ["Corrupt JPEG data: premature end of data segment"]
    assert capfd.readouterr().err == ""


def test_what_lost_no_pixels_is_no_damage(capfd: pytest.CaptureFixture[str]) -> None:
    with DecoderMessages().watch() as damage:
        os.write(
            2, b"Corrupt JPEG data: 1 extraneous bytes before marker 0xd9\nlibpng warning: iCCP: known incorrect sRGB profile\n"
        )
    assert damage == []
    assert capfd.readouterr().err == ""


def test_lines_of_others_are_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    messages = DecoderMessages()
    for word in ("one", "two"):
        with messages.watch() as damage:
            os.write(2, f"libpng error: bad\nWARNING {word}\n".encode())
        assert damage == ["libpng error: bad"]
    assert capfd.readouterr().err == "WARNING one\nWARNING two\n"


def test_blocks_that_overlap_each_see_what_came_while_they_ran(capfd: pytest.CaptureFixture[str]) -> None:
    messages = DecoderMessages()
    with messages.watch() as outer:
        os.write(2, b"libpng error: first\n")
        with messages.watch() as inner:
            os.write(2, b"libpng error: second\n")
    assert (inner, outer) == (["libpng error: second"], ["libpng error: first", "libpng error: second"])
    assert capfd.readouterr().err == ""


def test_a_process_without_stderr_decodes_all_the_same() -> None:
    program = (
        "import os; os.close(2)\n"
        "from components.decoder_messages import DecoderMessages\n"
        "with DecoderMessages().watch() as damage: pass\n"
        "print(damage)"
    )
    assert subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True).stdout == "[]\n"
