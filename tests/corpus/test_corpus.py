"""Bad input: every place where we read, crossed with every class of failure; `pytest -s` prints the table."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.corpus import files, remote
from tests.corpus.cells import FAILURES, PLACES, Cell, table
from tests.corpus.scene import Bucket, Refused, Scene, SetAside, Told, sound
from tests.faulty_proxy import faulty_proxy
from tests.seaweedfs import S3Server

CELLS = [
    *files.images(),
    *files.masks(),
    *files.tables(),
    *files.metadata(),
    *files.params(),
    *remote.zips(),
    *remote.s3(),
    *remote.dvc(),
]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    folder = sound(tmp_path / "clinic")
    (tmp_path / "work").mkdir()
    return Scene(folder, tmp_path / "work", [str(folder.root)])


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    with faulty_proxy(s3_server.port) as (endpoint, faults):
        forget = lambda: monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")  # noqa: E731
        yield Bucket(s3_server.bucket(f"corpus-{uuid4().hex}"), s3_server, endpoint, faults, forget)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.place}-{cell.failure}")
def test_bad_input_gets_the_answer_that_is_owed(cell: Cell, scene: Scene, request: pytest.FixtureRequest) -> None:
    if cell.place == "S3":
        scene.bucket = request.getfixturevalue("bucket")
    cell.arrange(scene)
    if isinstance(cell.answer, Refused):
        with pytest.raises(cell.answer.error) as raised:
            scene.read()
        assert cell.answer.words in str(raised.value)
        assert "\n" not in str(raised.value)
        return
    outcome = scene.read()
    if isinstance(cell.answer, SetAside):
        assert [(row["field"], cell.answer.words in row["reason"]) for row in outcome.quarantine] == [(cell.answer.field, True)]
    elif isinstance(cell.answer, Told):
        assert [message for message in outcome.messages if cell.answer.words in message] != []
    else:
        assert outcome.quarantine == []
        assert outcome.victim == cell.answer.rows


def test_no_cell_of_the_corpus_is_empty() -> None:
    answers = {(cell.place, cell.failure): type(cell.answer).__name__ for cell in CELLS}
    print(table(answers))
    assert set(answers) == {(place, failure) for place in PLACES for failure in FAILURES}
