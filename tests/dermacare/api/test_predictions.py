"""Predictions over HTTP, by real models out of a real registry."""

import base64
import io
import secrets
import sqlite3
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor

import cv2
import httpx
import numpy as np
import pytest

from components.dataset import Dataset
from components.evaluate.judged import read_predictions
from components.files import sha256_bytes
from components.lesions import CODES, Diagnosis, Split, Task
from components.predict.quality import WarningCode
from components.predictions import PROBABILITY_COLUMNS
from dermacare.api.problems import MEDIA_TYPE
from dermacare.api.schemas import BatchPrediction, Prediction, Problem
from pipelines.home import Home
from tests.components.predict.drawn import jpeg, lesion, png
from tests.components.register.conftest import Made
from tests.dermacare_server import serving

PREDICTIONS = "/api/v1/predictions"


def ask(client: httpx.Client, data: bytes, key: str | None = None, **fields: str) -> Prediction:
    headers = {} if key is None else {"Idempotency-Key": key}
    answer = client.post(PREDICTIONS, files={"image": ("image", data)}, data=fields, headers=headers)
    assert answer.status_code == 200, answer.text
    return Prediction.model_validate_json(answer.content)


def problem(answer: httpx.Response, status: int, field: str | None = None) -> Problem:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    said = Problem.model_validate_json(answer.content)
    assert said.status == status
    if field is not None:
        assert [one.field for one in said.errors] == [field]
    return said


def pixels(data_uri: str) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(base64.b64decode(data_uri.partition(",")[2]), np.uint8), cv2.IMREAD_UNCHANGED)


def test_the_test_split_gets_the_pipelines_own_probabilities(client: httpx.Client, served: Made) -> None:
    dataset = Dataset(served.dataset)
    rows = dataset.rows(Task.CLASSIFICATION, Split.TEST)
    table = read_predictions(served.evaluation / "predictions" / "skilled.parquet").set_index("image_id")
    for row, image in zip(rows.to_dict("records"), dataset.images(rows), strict=True):
        said = ask(client, png(image))
        got = {one.code.value: one.probability for one in said.diagnoses}
        expected = table.loc[row["image_id"], list(PROBABILITY_COLUMNS)].to_numpy(float)
        np.testing.assert_allclose([got[code] for code in CODES], expected, atol=1e-4)


def test_an_answer_says_where_the_lesion_is_and_what_answered(client: httpx.Client) -> None:
    data = png(lesion())
    said = ask(client, data, age="54", sex="female", site="posterior torso", heat_map="true")
    assert said.diagnoses[0].code == "MEL"
    assert [one.probability for one in said.diagnoses] == sorted((one.probability for one in said.diagnoses), reverse=True)
    assert said.prediction_set.codes == [one.code for one in said.diagnoses if one.in_set]
    assert said.malignancy == pytest.approx(sum(one.probability for one in said.diagnoses if one.malignant), abs=1e-6)
    assert said.image.sha256 == sha256_bytes(data)
    assert (said.image.width, said.image.height, said.image.kept) == (200, 160, False)
    assert (said.patient.age, said.patient.sex, said.patient.site) == (54, "female", "posterior torso")
    mask = pixels(said.lesion.mask)
    assert mask.shape == (160, 200, 4)
    assert mask[80, 100].tolist() == [255, 255, 255, 255]
    assert mask[0, 0, 3] == 0
    assert np.count_nonzero(mask[:, :, 3]) == said.lesion.measurements.area_pixels
    outline = np.array(said.lesion.contours[0])
    assert np.abs((outline.min(axis=0) + outline.max(axis=0)) / 2 - (100, 80)).max() < 3
    assert said.lesion.measurements.colours[0].name == "black"
    assert pixels(said.heat_map.picture).shape == (160, 200, 4)
    assert said.heat_map.code == "MEL"
    assert said.models.entry == 1
    assert (said.models.classifier.name, said.models.classifier.version) == ("lesion-classifier", 1)
    assert said.data_version == said.models.classifier.data_version
    assert said.phantom
    assert said.notice == (
        "Decision support, not a diagnosis. The models were trained on drawn images and know nothing about skin."
    )
    assert said.milliseconds.total >= said.milliseconds.decode > 0


def test_without_being_asked_for_there_is_no_heat_map(client: httpx.Client) -> None:
    said = ask(client, jpeg(lesion()))
    assert said.heat_map is None
    assert said.milliseconds.explain == 0


def test_a_strange_image_is_refused_in_plain_words_and_gets_no_diagnosis(client: httpx.Client) -> None:
    said = ask(client, png(np.zeros((64, 64, 3), np.uint8)), heat_map="true")
    assert said.refusal.strangeness > said.refusal.threshold
    assert said.refusal.message.startswith("The image does not look like")
    assert (said.diagnoses, said.prediction_set, said.malignancy, said.lesion, said.heat_map) == ([], None, None, None, None)
    assert WarningCode.DARK in [warning.code for warning in said.warnings]


def test_skin_without_a_lesion_says_so(client: httpx.Client) -> None:
    said = ask(client, png(lesion(share=0)))
    assert said.lesion is None
    assert WarningCode.NO_LESION in [warning.code for warning in said.warnings]


def test_exif_turns_the_image_upright(client: httpx.Client) -> None:
    data = jpeg(lesion())
    # Orientation 6: to be turned by a quarter clockwise.
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    turned = data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]
    said = ask(client, turned)
    assert (said.image.width, said.image.height) == (160, 200)


class TestRefusedBeforeDecoding:
    def test_another_type(self, client: httpx.Client) -> None:
        said = problem(client.post(PREDICTIONS, files={"image": ("a.gif", b"GIF89a" + bytes(100))}), 415, "image")
        assert said.type == "urn:dermacare:problem:wrong-type"
        assert said.detail == "image: is neither a JPEG nor a PNG; convert it"

    def test_a_truncated_image(self, client: httpx.Client) -> None:
        said = problem(client.post(PREDICTIONS, files={"image": ("a.jpg", jpeg(lesion())[:-500])}), 422, "image")
        assert "ends before its image does" in said.detail

    def test_an_empty_file(self, client: httpx.Client) -> None:
        problem(client.post(PREDICTIONS, files={"image": ("a.jpg", b"")}), 422, "image")

    @pytest.mark.parametrize(("width", "height"), [(40_000, 40_000), (100_000, 1000), (8, 8)])
    def test_a_bomb_by_what_its_header_says(self, client: httpx.Client, width: int, height: int) -> None:
        header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
        chunk = b"IHDR" + header
        bomb = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
        said = problem(client.post(PREDICTIONS, files={"image": ("a.png", bomb)}), 422, "image")
        assert f"{width} x {height} pixels" in said.detail

    def test_more_bytes_than_an_image_may_have(self, client: httpx.Client) -> None:
        answer = client.post(PREDICTIONS, files={"image": ("a.png", png(lesion())[:100] + bytes(26 << 20))})
        assert problem(answer, 413).type == "urn:dermacare:problem:too-large"

    def test_a_body_that_grows_while_it_is_sent(self, client: httpx.Client) -> None:
        def endless() -> object:
            yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
            for _ in range(60):
                yield bytes(1 << 20)

        try:
            answer = client.post(PREDICTIONS, content=endless(), headers={"Content-Type": "multipart/form-data; boundary=x"})
        except httpx.WriteError:
            return  # the server hung up while we were still sending
        problem(answer, 413)


class TestFields:
    @pytest.mark.parametrize(("name", "value"), [("age", "121"), ("age", "old"), ("sex", "f"), ("site", "nose"), ("consent", "so")])
    def test_a_wrong_one_is_named(self, client: httpx.Client, name: str, value: str) -> None:
        answer = client.post(PREDICTIONS, files={"image": ("a.png", png(lesion()))}, data={name: value})
        problem(answer, 422, name)

    def test_a_missing_image_is_named(self, client: httpx.Client) -> None:
        problem(client.post(PREDICTIONS, data={"age": "50"}), 422, "image")

    def test_an_empty_one_was_not_told(self, client: httpx.Client) -> None:
        assert ask(client, png(lesion()), age="", sex="", site="").patient.age is None


class TestBatch:
    def ask(self, client: httpx.Client, *files: tuple[str, bytes]) -> httpx.Response:
        return client.post(f"{PREDICTIONS}/batch", files=[("images", file) for file in files])

    def archive(self, *files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive:
            for name, data in files:
                archive.writestr(name, data)
        return out.getvalue()

    def test_each_is_answered_in_its_place_and_a_bad_one_costs_the_others_nothing(self, client: httpx.Client) -> None:
        good, bad = png(lesion()), jpeg(lesion())[:-500]
        zipped = self.archive(("folder/in.png", good), ("__MACOSX/._in.png", b"x"), ("notes.txt", b"no image"))
        answer = self.ask(client, ("one.png", good), ("two.jpg", bad), ("three.zip", zipped))
        items = BatchPrediction.model_validate_json(answer.content).items
        assert [item.name for item in items] == ["one.png", "two.jpg", "folder/in.png", "notes.txt"]
        assert [item.problem and item.problem.status for item in items] == [None, 422, None, 415]
        assert items[0].prediction.diagnoses == items[2].prediction.diagnoses
        assert items[1].problem.errors[0].field == "images"

    def test_a_zip_bomb_is_not_unpacked(self, client: httpx.Client) -> None:
        bomb = self.archive(*((f"{number}.png", bytes(25 << 20)) for number in range(9)))
        assert len(bomb) < 1 << 20
        assert "more than 200 MiB unpacked" in problem(self.ask(client, ("a.zip", bomb)), 413, "images").detail

    def test_a_zip_of_entries_alone_is_turned_down_before_they_are_read(self, client: httpx.Client) -> None:
        data = self.archive(("a.png", b""))
        start, end = data.rindex(b"PK\x01\x02"), data.rindex(b"PK\x05\x06")
        entries = data[start:end] * 1001
        size = len(entries).to_bytes(4, "little")
        # Its end says that there is one, and zipfile reads them all the same.
        lying = data[:start] + entries + data[end : end + 12] + size + data[end + 16 :]
        assert len(zipfile.ZipFile(io.BytesIO(lying)).infolist()) == 1001
        said = problem(self.ask(client, ("a.zip", lying)), 413, "images")
        assert "a.zip holds more than 1,000 files and folders" in said.detail

    @pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_a_method_that_unpacks_without_a_bound_is_refused_before_it_does(self, client: httpx.Client, method: int) -> None:
        said = problem(self.ask(client, ("a.zip", self.archive(("a.png", png(lesion())), method=method))), 422, "images")
        assert said.detail == "images: a.zip holds a.png, compressed by another method than Deflate; make it anew with that"

    def test_a_zip_that_hides_its_size_is_not_believed(self, client: httpx.Client) -> None:
        data = bytearray(self.archive(("a.png", bytes(40 << 20))))
        place = data.rindex(b"PK\x01\x02")
        data[place + 24 : place + 28] = (1000).to_bytes(4, "little")
        (item,) = BatchPrediction.model_validate_json(self.ask(client, ("a.zip", bytes(data))).content).items
        assert "a.png in the ZIP is damaged" in item.problem.detail

    def test_a_damaged_file_of_a_zip_costs_the_others_nothing(self, client: httpx.Client) -> None:
        good, bad = png(lesion()), png(lesion(Diagnosis.VASC))
        data = bytearray(self.archive(("a.png", good), ("b.png", bad), ("c.png", good), method=zipfile.ZIP_STORED))
        data[data.index(bad) + 100] ^= 1
        items = BatchPrediction.model_validate_json(self.ask(client, ("a.zip", bytes(data))).content).items
        assert [item.problem and item.problem.status for item in items] == [None, 422, None]
        assert items[1].problem.detail.startswith("images: b.png in the ZIP is damaged (Bad CRC-32")
        assert [one.field for one in items[1].problem.errors] == ["images"]

    def test_what_cannot_be_logged_costs_what_was_answered_before_nothing(self, ready_home: Home) -> None:
        good, unlogged = png(lesion()), png(lesion(Diagnosis.VASC))
        with serving(ready_home.root) as server, server.client() as client:
            ask(client, good)  # the log is there now
            with sqlite3.connect(ready_home.root / "predictions.db") as database:
                database.execute(
                    "CREATE TRIGGER full BEFORE INSERT ON predictions WHEN json_extract(new.record, '$.image_sha256') = "
                    f"'{sha256_bytes(unlogged)}' BEGIN SELECT RAISE(ABORT, 'disk full'); END"
                )
            answer = self.ask(client, ("a.png", good), ("b.png", unlogged), ("c.png", good))
            items = BatchPrediction.model_validate_json(answer.content).items
            assert [item.problem and item.problem.type for item in items] == [None, "urn:dermacare:problem:not-logged", None]
            problem(self.ask(client, ("b.png", unlogged), ("a.png", good)), 503)

    @pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../../b.png", "..\\b.png"])
    def test_a_path_that_leads_out_of_a_zip_is_named(self, client: httpx.Client, name: str) -> None:
        said = problem(self.ask(client, ("a.zip", self.archive((name, png(lesion()))))), 422, "images")
        assert "a path that leads out of it" in said.detail

    def test_an_encrypted_zip_is_named(self, client: httpx.Client) -> None:
        data = bytearray(self.archive(("a.png", png(lesion()))))
        data[6] |= 1
        data[data.rindex(b"PK\x01\x02") + 8] |= 1
        assert "is encrypted" in problem(self.ask(client, ("a.zip", bytes(data))), 422, "images").detail

    def test_a_zip_in_a_zip_is_no_image(self, client: httpx.Client) -> None:
        inner = self.archive(("a.png", png(lesion())))
        (item,) = BatchPrediction.model_validate_json(self.ask(client, ("a.zip", self.archive(("b.zip", inner)))).content).items
        assert item.problem.status == 415

    def test_too_many_are_turned_down_before_any_is_answered(self, client: httpx.Client) -> None:
        problem(self.ask(client, *[("a.png", png(lesion()))] * 65), 422, "images")
        many = self.archive(*((f"{number}.png", png(lesion())) for number in range(65)))
        assert problem(self.ask(client, ("a.zip", many)), 413, "images").detail.startswith("images: are 65")

    def test_a_damaged_zip_is_named(self, client: httpx.Client) -> None:
        problem(self.ask(client, ("a.zip", self.archive(("a.png", bytes(1000)))[:60])), 422, "images")


class TestWhatIsKept:
    def test_the_log_has_the_answer_and_no_pixel(self, client: httpx.Client, fetched_home: Home) -> None:
        said = ask(client, png(lesion()), age="54")
        with sqlite3.connect(f"file:{fetched_home.root}/predictions.db?mode=ro", uri=True) as database:
            (row,) = database.execute("SELECT record FROM predictions WHERE id = ?", (said.id,)).fetchone()
        assert said.image.sha256 in row
        assert said.models.classifier.digest in row
        assert '"age":54' in row
        assert "base64" not in row
        assert len(row) < 2000
        assert (fetched_home.root / "predictions.db").stat().st_mode & 0o077 == 0

    def test_what_is_sent_again_under_its_key_is_logged_once(self, client: httpx.Client, fetched_home: Home) -> None:
        key, image = secrets.token_hex(16), png(lesion())
        first, again = (ask(client, image, key=key, age="61", consent="true") for _ in range(2))
        assert first.id == key
        assert again.model_copy(update={"milliseconds": first.milliseconds}) == first
        assert self.logged(fetched_home, "$.id", key) == [key]
        assert len(list(fetched_home.kept.glob(f"{key}*"))) == 1

    def test_what_is_sent_again_is_kept_where_the_row_is_there_and_the_image_is_not(
        self, client: httpx.Client, fetched_home: Home
    ) -> None:
        key, image = secrets.token_hex(16), png(lesion())
        ask(client, image, key=key, consent="true")
        (file,) = fetched_home.kept.glob(f"{key}*")
        kept = file.read_bytes()
        file.unlink()  # as where the log's answer was lost, so that the image was taken back
        assert ask(client, image, key=key, consent="true").image.kept
        assert file.read_bytes() == kept

    def test_what_is_sent_again_before_it_is_answered_is_logged_once(self, client: httpx.Client, fetched_home: Home) -> None:
        key, image = secrets.token_hex(16), png(lesion(size=(400, 500)))
        with ThreadPoolExecutor(4) as pool:
            said = list(pool.map(lambda _: ask(client, image, key=key, consent="true"), range(8)))
        assert {one.id for one in said} == {key}
        assert self.logged(fetched_home, "$.id", key) == [key]
        assert self.logged(fetched_home, "$.image_sha256", said[0].image.sha256) == [key]
        assert len(list(fetched_home.kept.glob(f"{key}*"))) == 1

    @pytest.mark.parametrize("other", [{"age": "62"}, {"consent": "true"}, {}])
    def test_another_question_under_the_same_key_is_another_answer(
        self, client: httpx.Client, fetched_home: Home, other: dict[str, str]
    ) -> None:
        key = secrets.token_hex(16)
        image = png(lesion())
        first = ask(client, image, key=key)
        second = ask(client, image if other else png(lesion(size=(200, 240))), key=key, **other)
        assert second.id not in (first.id, "")
        assert self.logged(fetched_home, "$.id", second.id) == [second.id]
        assert self.logged(fetched_home, "$.image_sha256", first.image.sha256).count(first.id) == 1

    @pytest.mark.parametrize("key", ["", "no", "G" * 32, "a" * 31, "A" * 32])
    def test_a_key_that_is_none_is_named(self, client: httpx.Client, key: str) -> None:
        answer = client.post(PREDICTIONS, files={"image": ("image", png(lesion()))}, headers={"Idempotency-Key": key})
        problem(answer, 422, "Idempotency-Key")

    @staticmethod
    def logged(home: Home, field: str, value: str) -> list[str]:
        """Ids of the rows with a value in a field."""
        with sqlite3.connect(f"file:{home.root}/predictions.db?mode=ro", uri=True) as database:
            found = database.execute("SELECT id FROM predictions WHERE json_extract(record, ?) = ?", (field, value))
            return [name for (name,) in found]

    def test_without_consent_no_image_comes_to_lie_on_the_disk(self, client: httpx.Client, fetched_home: Home) -> None:
        before = set(fetched_home.root.rglob("*"))
        said = ask(client, png(lesion(size=(200, 240))))
        assert not said.image.kept
        # The log, where this is the first answer that the server gives.
        log = {"predictions.db", "predictions.db-wal", "predictions.db-shm"}
        assert {path.name for path in set(fetched_home.root.rglob("*")) - before} <= log

    def test_with_consent_it_is_kept_without_exif_for_its_owner_alone(self, client: httpx.Client, fetched_home: Home) -> None:
        data = jpeg(lesion())
        comment = b"GPS 52.5 13.4, Eva"
        marked = data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:]
        said = ask(client, marked, consent="true")
        assert said.image.kept
        (file,) = fetched_home.kept.glob(f"{said.id}*")
        assert comment not in file.read_bytes()
        assert file.stat().st_mode & 0o177 == 0
        assert fetched_home.kept.stat().st_mode & 0o077 == 0
        shown = cv2.imread(str(file))
        assert np.abs(shown.astype(int) - cv2.cvtColor(lesion(), cv2.COLOR_RGB2BGR)).max() < 40
