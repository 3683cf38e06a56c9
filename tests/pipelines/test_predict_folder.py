"""A folder of images by what serves: masks, overlays, a table, and a kill in the middle."""

import csv
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from components.errors import DecoderBusy, LedgerError, SourceError
from components.lesions import Diagnosis
from components.predict.decoder import Decoder
from pipelines.home import Home
from pipelines.predict_folder import predict_folder
from tests.components.predict.drawn import jpeg, lesion, png
from tests.pipelines.serving.conftest import _own_mlflow, home, kept_home, served

__all__ = ["_own_mlflow", "home", "kept_home", "served"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two lesions, one of them in a folder below, what is no lesion, and what is no image."""
    root = tmp_path / "images"
    (root / "below").mkdir(parents=True)
    (root / "a.png").write_bytes(png(lesion()))
    (root / "below" / "b.JPG").write_bytes(jpeg(lesion(Diagnosis.VASC)))
    (root / "black.png").write_bytes(png(np.zeros((64, 64, 3), np.uint8)))
    (root / "cut.jpg").write_bytes(jpeg(lesion())[:-300])
    (root / "notes.txt").write_text("no image")
    return root


def rows(output: Path) -> dict[str, dict[str, str]]:
    with (output / "predictions.csv").open(newline="") as file:
        return {row["image"]: row for row in csv.DictReader(file)}


def untold(done: int, total: int) -> None:
    """Nobody is told how far it is."""


def logged(home: Home) -> int:
    with sqlite3.connect(home.root / "predictions.db") as database:
        return database.execute("SELECT count(*) FROM predictions").fetchone()[0]


def test_every_image_has_its_line_and_a_lesion_its_mask_and_overlay(home: Home, folder: Path, tmp_path: Path) -> None:
    done = predict_folder(folder, tmp_path / "out", home, untold)
    assert (done.answered, done.refused, done.unreadable, done.before, done.old) == (2, 1, 1, 0, None)
    table = rows(tmp_path / "out")
    assert list(table) == ["a.png", "below/b.JPG", "black.png", "cut.jpg"]
    assert table["a.png"]["diagnosis"] == "MEL"
    assert table["below/b.JPG"]["diagnosis"] == "VASC"
    assert float(table["a.png"]["malignancy"]) > 0.5
    mask = cv2.imread(str(tmp_path / "out" / table["a.png"]["mask"]), cv2.IMREAD_UNCHANGED)
    assert mask.shape == (160, 200)
    assert set(np.unique(mask)) == {0, 255}
    assert np.count_nonzero(mask) == int(table["a.png"]["area_pixels"])
    assert cv2.imread(str(tmp_path / "out" / table["below/b.JPG"]["overlay"])).shape == (160, 200, 3)
    assert (table["black.png"]["refused"], table["black.png"]["diagnosis"], table["black.png"]["mask"]) == ("True", "", "")
    assert "ends before its image does" in table["cut.jpg"]["error"]
    assert logged(home) == 3


def test_the_same_call_does_nothing_again_and_a_changed_image_anew(home: Home, folder: Path, tmp_path: Path) -> None:
    predict_folder(folder, tmp_path / "out", home, untold)
    first = (tmp_path / "out" / "predictions.csv").read_bytes()
    assert predict_folder(folder, tmp_path / "out", home, untold).before == 4
    assert (tmp_path / "out" / "predictions.csv").read_bytes() == first
    (folder / "a.png").write_bytes(png(lesion(Diagnosis.BCC)))
    assert predict_folder(folder, tmp_path / "out", home, untold).before == 3
    assert rows(tmp_path / "out")["a.png"]["diagnosis"] == "BCC"
    assert logged(home) == 4


def test_pictures_of_an_older_answer_go_where_the_image_has_none_any_more(home: Home, tmp_path: Path) -> None:
    folder, output = tmp_path / "images", tmp_path / "out"
    folder.mkdir()
    for name in ("cut", "gone", "refused", "same"):
        (folder / f"{name}.png").write_bytes(png(lesion()))
    predict_folder(folder, output, home, untold)
    assert len([path for path in output.rglob("*.*") if path.suffix in (".png", ".jpg")]) == 8
    (folder / "cut.png").write_bytes(png(lesion())[:-300])
    (folder / "refused.png").write_bytes(png(np.zeros((64, 64, 3), np.uint8)))
    done = predict_folder(folder, output, home, lambda done, total: (folder / "gone.png").unlink(missing_ok=True))
    assert (done.answered, done.refused, done.unreadable) == (1, 1, 2)
    left = {path.relative_to(output).as_posix() for path in output.rglob("*.*") if path.suffix in (".png", ".jpg")}
    assert left == {"masks/same.png", "overlays/same.jpg"}


@pytest.mark.skipif(sys.platform != "linux", reason="names are UTF-8 there")
def test_a_name_that_is_no_utf_8_stands_in_the_table_as_it_lies_on_the_disk(home: Home, tmp_path: Path) -> None:
    folder, output = tmp_path / "images", tmp_path / "out"
    folder.mkdir()
    (folder / os.fsdecode(b"L\xe4sion.png")).write_bytes(png(lesion()))
    (folder / os.fsdecode(b"L\xe4sion cut.jpg")).write_bytes(jpeg(lesion())[:-300])
    (folder / "Läsion.png").write_bytes(png(lesion()))
    done = predict_folder(folder, output, home, untold)
    assert (done.answered, done.unreadable, done.before) == (2, 1, 0)
    _, *lines = (output / "predictions.csv").read_bytes().splitlines()
    assert {line.partition(b",")[0] for line in lines} == {b"L\xe4sion cut.jpg", b"L\xe4sion.png", "Läsion.png".encode()}
    assert (output / os.fsdecode(b"masks/L\xe4sion.png")).exists()
    assert predict_folder(folder, output, home, untold).before == 3


def test_images_that_differ_in_their_suffix_alone_have_masks_of_their_own(home: Home, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(png(lesion()))
    (tmp_path / "images" / "a.jpg").write_bytes(jpeg(lesion()))
    predict_folder(tmp_path / "images", tmp_path / "images" / "out", home, untold)
    assert {row["mask"] for row in rows(tmp_path / "images" / "out").values()} == {"masks/a.jpg.png", "masks/a.png.png"}
    assert predict_folder(tmp_path / "images", tmp_path / "images" / "out", home, untold).before == 2


def test_the_output_may_hold_the_images_but_not_be_their_folder(home: Home, folder: Path, tmp_path: Path) -> None:
    (folder / "masks").mkdir()
    (folder / "masks" / "of-the-user.png").write_bytes(png(lesion()))
    with pytest.raises(SourceError, match="holds the images themselves"):
        predict_folder(folder, folder / ".", home, untold)
    assert predict_folder(folder, tmp_path, home, untold).answered == 3
    assert predict_folder(folder, tmp_path, home, untold).before == 5


def test_a_file_that_is_gone_since_it_was_listed_has_its_line(home: Home, folder: Path, tmp_path: Path) -> None:
    def take_away(done: int, total: int) -> None:
        (folder / "a.png").unlink(missing_ok=True)

    done = predict_folder(folder, tmp_path / "out", home, take_away)
    assert (done.answered, done.refused, done.unreadable) == (1, 1, 2)
    assert "a.png: cannot be read (No such file or directory)" in rows(tmp_path / "out")["a.png"]["error"]
    (folder / "a.png").write_bytes(png(lesion()))
    assert predict_folder(folder, tmp_path / "out", home, untold).before == 3
    assert rows(tmp_path / "out")["a.png"]["diagnosis"] == "MEL"


def test_an_image_that_no_worker_came_to_is_tried_again_by_the_next_call(
    home: Home, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = Decoder.decode_now

    def busy(decoder: Decoder, data: bytes, name: str, *more: Any, **and_more: Any) -> Any:
        if name == "a.png":
            raise DecoderBusy(f"{name}: no worker came to it")  # as where all of them are replaced at once
        return decode(decoder, data, name, *more, **and_more)

    with monkeypatch.context() as patch:
        patch.setattr(Decoder, "decode_now", busy)
        done = predict_folder(folder, tmp_path / "out", home, untold)
    assert (done.answered, done.unreadable) == (1, 2)
    assert rows(tmp_path / "out")["a.png"]["error"] == "a.png: no worker came to it"
    assert predict_folder(folder, tmp_path / "out", home, untold).before == 3
    assert rows(tmp_path / "out")["a.png"]["diagnosis"] == "MEL"


def test_what_answered_last_answers_while_everything_else_is_away(home: Home, folder: Path, tmp_path: Path) -> None:
    predict_folder(folder, tmp_path / "one", home, untold)
    (home.root / "ledger.db").unlink()
    done = predict_folder(folder, tmp_path / "two", home, untold)
    assert "nothing serves yet" in done.old
    assert done.answered == 2


def test_without_images_or_a_release_it_says_what_to_do(home: Home, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is no folder"):
        predict_folder(folder / "a.png", tmp_path / "out", home, untold)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="holds no JPEG or PNG image"):
        predict_folder(tmp_path / "empty", tmp_path / "out", home, untold)
    with pytest.raises(LedgerError, match="nothing serves yet"):
        predict_folder(folder, tmp_path / "out", Home(tmp_path / "new"), untold)


@pytest.mark.slow
def test_killed_in_the_middle_the_same_command_goes_on_from_there(home: Home, tmp_path: Path) -> None:
    folder, output = tmp_path / "many", tmp_path / "out"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number:02d}.png").write_bytes(png(lesion(list(Diagnosis)[number % 8], share=0.15 + number / 400)))
    command = [sys.executable, "-m", "dermacare.cli", "predict", str(folder), "--output", str(output)]
    environment = {**os.environ, "DERMACARE_HOME": str(home.root)}
    killed = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    journal = output / "predictions.jsonl"
    while not journal.exists() or len(journal.read_bytes().splitlines()) < 5:
        assert killed.poll() is None
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not (output / "predictions.csv").exists()
    with journal.open("ab") as file:
        file.write(b'{"image": "half')
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "40 answered, 0 refused, 0 unreadable; " in ended.stdout
    table = rows(output)
    assert len(table) == 40
    assert all(cv2.imread(str(output / row["mask"])) is not None for row in table.values())
    assert logged(home) == 40
    assert not [path for path in output.rglob("*.part") if path.stat().st_mtime > journal.stat().st_mtime]
    whole = tmp_path / "whole"
    shutil.rmtree(whole, ignore_errors=True)
    subprocess.run([*command[:-1], str(whole)], env=environment, check=True, stdout=subprocess.DEVNULL)
    unlike = {"id"}
    assert [{key: value for key, value in row.items() if key not in unlike} for row in rows(whole).values()] == [
        {key: value for key, value in row.items() if key not in unlike} for row in table.values()
    ]
