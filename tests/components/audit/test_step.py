"""The whole audit: what it writes, that it is the same each time, and what its pages hold."""

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from components.audit import Findings, audit
from components.audit.licences import HAM10000, ISIC, ISIC_MASKS, OWN, PHANTOM, collection_of
from components.errors import DatasetError
from components.reporter import Reporter
from tests.components.audit.validated import Validated

FILES = ("audit.json", "audit.html", "card.html", "card.md", "figures/shortcuts.png", "figures/skin_tone.png")


class Page(HTMLParser):
    """What a page loads and links, its pictures, tables and words."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.rows: list[list[str]] = []
        self._cell = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._cell:
            self.rows[-1][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def audited(validated: Validated, out: Path) -> Findings:
    out.mkdir(exist_ok=True)
    return audit(validated.write(), out, Reporter(out, "audit"))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Validated, Path]:
    """A data set with a few things to show, and its audit."""
    folder = tmp_path_factory.mktemp("audit")
    validated = Validated(folder / "validated", per_class=12)
    validated.set("T_MEL_000_0", {"mask_contrast": 0.55}, task="segmentation")
    validated.pair("T_MEL_000_0", "T_NV_000_0")
    for image in ("T_MEL_000_0", "T_MEL_000_1", "T_NV_000_0", "T_NV_000_1"):
        validated.set(image, {"fold": 0})
    audited(validated, folder / "out")
    return validated, folder / "out"


def test_the_same_data_gives_the_same_bytes(sound: tuple[Validated, Path], tmp_path: Path) -> None:
    validated, out = sound
    audited(validated, tmp_path / "again")
    for name in FILES:
        assert (out / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_pages_load_nothing_and_run_nothing(sound: tuple[Validated, Path]) -> None:
    for name in ("audit.html", "card.html"):
        page = Page(sound[1] / name)
        loaded = [attributes.get("src") or "" for tag, attributes in page.tags if "src" in attributes]
        assert all(source.startswith("data:image/") for source in loaded)
        assert not page.all("script")
        assert not page.all("link")
        assert "url(" not in (sound[1] / name).read_text()
        assert "@import" not in (sound[1] / name).read_text()


def test_the_first_thing_on_the_page_is_the_sentence_that_matters_most(sound: tuple[Validated, Path]) -> None:
    headline = json.loads((sound[1] / "audit.json").read_text())["headline"]
    assert headline == "1 pair of images shows the same under two diagnoses; one is wrong."
    page = Page(sound[1] / "audit.html")
    assert page.text.index(headline) < page.text.index("What to do:")
    assert len(page.all("h1")) == 1


def test_every_finding_is_on_the_first_screen_with_its_severity_and_links_to_its_own_section(sound: tuple[Validated, Path]) -> None:
    document = json.loads((sound[1] / "audit.json").read_text())
    page = Page(sound[1] / "audit.html")
    links = [str(one["href"]) for one in page.all("a")]
    sections = {one.get("id") for one in page.all("section")}
    for finding in document["findings"]:
        assert f"#{finding['key']}" in links
        assert finding["key"] in sections
    badges = [one["class"] for one in page.all("span") if str(one.get("class", "")).startswith("badge")]
    assert badges[: len(document["findings"])] == [f"badge {finding['severity']}" for finding in document["findings"]]


def test_pictures_are_the_users_own_images_side_by_side_and_each_is_described(sound: tuple[Validated, Path]) -> None:
    page = Page(sound[1] / "audit.html")
    pictures = page.all("img")
    assert all(one.get("alt") for one in pictures)
    pair = [one for one in pictures if "hash distance 2" in str(one["alt"])]
    assert [str(one["alt"]).split(":")[0] for one in pair[:2]] == ["T_MEL_000_0", "T_NV_000_0"]
    encoded = base64.b64decode(str(pair[0]["src"]).partition(",")[2])
    small = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    whole = cv2.resize(drawn(sound[0], "T_MEL_000_0"), small.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    assert np.abs(small.astype(int) - whole.astype(int)).mean() < 4


def drawn(validated: Validated, image: str) -> np.ndarray:
    data = validated.read()
    row = next(row for _, row in data.masked.iterrows() if row["image_id"] == image)
    return cv2.imdecode(np.frombuffer(data.dataset.image_bytes(row), np.uint8), cv2.IMREAD_COLOR)


def test_masks_are_drawn_where_a_finding_is_about_masks(sound: tuple[Validated, Path]) -> None:
    page = Page(sound[1] / "audit.html")
    (picture,) = [one for one in page.all("img") if "AUC 0.55" in str(one["alt"])]
    shown = cv2.imdecode(np.frombuffer(base64.b64decode(str(picture["src"]).partition(",")[2]), np.uint8), cv2.IMREAD_COLOR)
    yellow = (shown[..., 2] > 180) & (shown[..., 1] > 170) & (shown[..., 0] < 120)
    assert 100 < yellow.sum() < 0.1 * yellow.size


def test_names_from_the_data_cannot_put_anything_into_the_pages(tmp_path: Path) -> None:
    validated = Validated(tmp_path / "validated", source="<script>alert(1)</script> | **clinic**")
    validated.problems = [("<img src=x onerror=alert(1)>", "two labels: <b>MEL</b> and NV", "a|b.csv", "label")]
    audited(validated, tmp_path / "out")
    for name in ("audit.html", "card.html"):
        text = (tmp_path / "out" / name).read_text()
        assert "<script>" not in text
        assert "<b>MEL</b>" not in text
        assert "<img src=x" not in text
    card = (tmp_path / "out/card.md").read_text()
    assert "<script>" not in card.replace("\\<script\\>", "")
    assert "| \\<script\\>alert(1)\\</script\\> \\| \\*\\*clinic\\*\\* |" in card


def test_drawn_images_are_said_to_be_drawn_at_the_top_of_every_page_and_real_ones_not(
    sound: tuple[Validated, Path], tmp_path: Path
) -> None:
    for name in ("audit.html", "card.html", "card.md"):
        assert "These images were drawn (phantom)." in (sound[1] / name).read_text()[: 6000 if name != "card.md" else 200]
    audited(Validated(tmp_path / "validated", source="clinic"), tmp_path / "out")
    for name in ("audit.html", "card.html", "card.md"):
        assert "phantom" not in (tmp_path / "out" / name).read_text()


def test_both_cards_say_the_same(sound: tuple[Validated, Path]) -> None:
    page = Page(sound[1] / "card.html")
    lines = [
        line for line in (sound[1] / "card.md").read_text().splitlines() if line.startswith("|") and not line.startswith("|---")
    ]
    markdown = [[cell.strip().replace("\\", "") for cell in line.strip("|").split("|")] for line in lines]
    tables = [row for row in page.rows if len(row) > 2]
    assert tables == [row for row in markdown if len(row) > 2]
    assert len(tables) == 39


def test_the_card_counts_as_one_would_by_hand(sound: tuple[Validated, Path]) -> None:
    # 12 lesions of each diagnosis, two images each; of every six lesions four are for training, one for val, one for test.
    rows = {row[0]: row[1:] for row in Page(sound[1] / "card.html").rows}
    assert rows["MEL · Melanoma"] == ["16", "4", "4", "24"]
    assert rows["phantom"][-1] in ("192", "CC0-1.0", "none")
    assert rows["segmentation"] == ["128", "32", "32", "192"]
    assert rows["64 x 48"] == ["256", "64", "64", "384"]
    assert rows["very light"][-1] == "32"
    assert rows["Images"] == ["192"]
    assert rows["Groups (patients, lesions, near-duplicates)"] == ["96"]


def test_the_card_names_the_data_version_and_how_to_get_it_again(sound: tuple[Validated, Path]) -> None:
    version = json.loads((sound[1] / "audit.json").read_text())["data_version"]
    assert version == sound[0].read().dataset.version
    for name in ("card.html", "card.md"):
        text = (sound[1] / name).read_text()
        assert version in text
        assert f"data version begins with {version[:8]}" in text
        assert "git checkout COMMIT\ndermacare data pull" in text


@pytest.mark.parametrize(
    ("image", "lesion", "source", "collection"),
    [
        ("ISIC_0024306", "HAM_0000550", "isic", HAM10000),
        ("ISIC_0000001", None, "isic", ISIC),
        ("X_1", None, "our clinic", OWN),
        ("ISIC_0000001", "L1", "phantom", PHANTOM),
    ],
)
def test_every_image_is_attributed_to_its_collection(image: str, lesion: str | None, source: str, collection: object) -> None:
    assert collection_of(image, lesion, source) is collection


def test_the_card_attributes_images_and_masks_as_isic_asks(tmp_path: Path) -> None:
    validated = Validated(tmp_path / "validated", source="isic")
    validated.rows["image_id"] = validated.rows["image_id"].str.replace("T_", "ISIC_")
    validated.rows.loc[validated.rows["label"] == "MEL", "lesion_id"] = "HAM_0000001"
    audited(validated, tmp_path / "out")
    text = (tmp_path / "out/card.md").read_text()
    assert f"**HAM10000**, 12 images, CC BY-NC 4.0: {HAM10000.attribution}" in text
    assert f"**{ISIC.name}**, 84 images" in text
    assert f"**{ISIC_MASKS.name}**, 96 images, CC-0" in text


def test_figures_and_counts_go_to_the_reporter(sound: tuple[Validated, Path]) -> None:
    (line,) = [json.loads(line) for line in (sound[1] / "metrics.jsonl").read_text().splitlines()]
    assert line["values"]["audit/high"] == 1
    assert line["values"]["audit/leak-two-labels/pairs"] == 1
    assert {path.name for path in (sound[1] / "figures").iterdir()} == {"shortcuts.png", "skin_tone.png"}


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_data_of_one_task_is_audited_for_what_it_has(validated: Validated, tmp_path: Path, task: str) -> None:
    validated.rows = validated.rows[validated.rows["task"] == task].reset_index(drop=True)
    if task == "segmentation":
        validated.rows["label"] = None
    findings = audited(validated, tmp_path / "out")
    assert findings.images == 96
    assert not any(finding.severity in ("critical", "high") for finding in findings.findings)
    assert "nan" not in Page(tmp_path / "out/audit.html").text.lower().split()


def test_it_may_write_into_the_dataset_itself(validated: Validated) -> None:
    audit(validated.write(), validated.root, Reporter(validated.root, "validate"))
    assert (validated.root / "audit.html").exists()


@pytest.mark.parametrize("name", ["measures.parquet", "report.json", "quarantine.csv", "manifest.parquet"])
def test_a_folder_that_validate_did_not_make_whole_is_refused_by_name(validated: Validated, tmp_path: Path, name: str) -> None:
    validated.write()
    (validated.root / name).unlink()
    with pytest.raises(DatasetError, match=re.escape(name)):
        audit(validated.root, tmp_path, Reporter(tmp_path, "audit"))


def test_rows_without_measures_are_refused(validated: Validated, tmp_path: Path) -> None:
    validated.write()
    rows = validated.rows
    validated.rows = rows.iloc[2:].reset_index(drop=True)
    validated.write()
    from components.dataset import write_manifest

    write_manifest(validated.root, rows)
    with pytest.raises(DatasetError, match="2 rows of the manifest have no measures"):
        audit(validated.root, tmp_path, Reporter(tmp_path, "audit"))
