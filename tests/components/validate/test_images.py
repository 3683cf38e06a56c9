import cv2
import numpy as np
import numpy.typing as npt
import pytest

from components.lesions import Split, Task
from tests.components.validate.conftest import Validated, run_step
from tests.components.validate.raw_data import RawData, groups_in, jpeg, mask_of, picture, png

Pixels = npt.NDArray[np.generic]

BOMB = b"\x89PNG\r\n\x1a\n" + bytes.fromhex("0000000d494844520000ea600000ea600802000000") + b"\0\0\0\0"

# id → an image, and what of its reason is looked for.
BAD_IMAGES: dict[str, tuple[bytes | Pixels, str]] = {
    "truncated": (jpeg(picture(1))[:1500], "truncated"),
    "text": (b"this is text, whatever its name says", "neither a JPEG nor a PNG"),
    "bomb": (BOMB, "60000 x 60000 pixels"),
    "small": (picture(1, (12, 200)), "200 x 12 pixels; at least 16 a side are needed"),
    "one_colour": (np.full((90, 120, 3), 128, np.uint8), "blank"),
    "lens_cap": (np.random.default_rng(0).normal(9, 3, (90, 120, 3)).clip(0, 255).astype(np.uint8), "blank"),
}
BAD_MASKS: dict[str, tuple[bytes | Pixels, str]] = {
    "empty": (np.zeros((90, 120), np.uint8), "mask is empty"),
    "full": (np.full((90, 120), 255, np.uint8), "mask covers the whole image"),
    "square": (mask_of((90, 90)), "mask is 90 x 90 pixels, another shape than its image's 120 x 90"),
    "wider": (mask_of((90, 123)), "another shape"),  # by 2.5 %
    "cut": (png(mask_of())[:120], "truncated"),
    "words": (b"text", "neither a JPEG nor a PNG"),
    "flat": (np.full((90, 120), 7, np.uint8), "mask covers the whole image"),  # repaired, all of it is lesion
}
SCALED_MASKS = {"a_bit_wider": (90, 122), "half": (45, 60), "double": (180, 240)}
ODD_MASKS: dict[str, Pixels] = {
    "zero_and_one": mask_of() // 255,
    "sixteen_bits": np.where(mask_of() > 0, np.uint16(65535), np.uint16(300)),
    "smoothed": cv2.GaussianBlur(mask_of(), (5, 5), 0),
    "half_as_bright": cv2.cvtColor(mask_of(), cv2.COLOR_GRAY2BGR) // 2,
}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Validated:
    """One run over every kind of image and mask below, and over sound ones."""
    folder = tmp_path_factory.mktemp("images")
    lesions = iter(groups_in(Split.TRAIN, 40, "B"))
    raw = RawData(folder / "raw").fill()
    for name, (image, _) in BAD_IMAGES.items():
        raw.add(name, image=image, mask=True, lesion_id=next(lesions))
    for name, (mask, _) in BAD_MASKS.items():
        raw.add(name, mask=mask, lesion_id=next(lesions))
    for name, size in SCALED_MASKS.items():
        raw.add(name, mask=mask_of(size), lesion_id=next(lesions))
    for name, odd in ODD_MASKS.items():
        raw.add(name, mask=png(odd), lesion_id=next(lesions))
    raw.add("grey", image=png(cv2.cvtColor(picture(500), cv2.COLOR_RGB2GRAY)), lesion_id=next(lesions))
    raw.add("deep", image=png(picture(501)[:, :, ::-1].astype(np.uint16) * 257), lesion_id=next(lesions))
    return run_step(raw.write(), folder / "out", max_quarantined=0.5)


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_a_bad_image_costs_both_tasks_and_its_reason_is_told(judged: Validated, name: str) -> None:
    assert judged.of(name, "task") == []
    (problem,) = [problem for problem in judged.quarantine if problem.image == name]
    assert (problem.file, problem.field) == (f"{name}.jpg", "image")
    assert BAD_IMAGES[name][1] in problem.reason


@pytest.mark.parametrize("name", BAD_MASKS)
def test_a_bad_mask_costs_segmentation_alone(judged: Validated, name: str) -> None:
    assert judged.of(name, "task") == [Task.CLASSIFICATION]
    (problem,) = [problem for problem in judged.quarantine if problem.image == name]
    assert (problem.file, problem.field) == (f"{name}_segmentation.png", "mask")
    assert BAD_MASKS[name][1] in problem.reason


def test_every_bad_row_is_counted(judged: Validated) -> None:
    assert judged.report["counts"]["bad_rows"] == 2 * len(BAD_IMAGES) + len(BAD_MASKS)
    assert sum(judged.report["quarantined"].values()) == len(BAD_IMAGES) + len(BAD_MASKS)


@pytest.mark.parametrize("name", [*SCALED_MASKS, "grey", "deep"])
def test_scaled_masks_and_grey_and_16_bit_images_are_fine(judged: Validated, name: str) -> None:
    assert Task.CLASSIFICATION in judged.of(name, "task")
    assert (Task.SEGMENTATION in judged.of(name, "task")) == (name in SCALED_MASKS)
    assert name not in {problem.image for problem in judged.quarantine}


@pytest.mark.parametrize("name", ODD_MASKS)
def test_masks_with_other_values_are_repaired(judged: Validated, name: str) -> None:
    rows = judged.dataset.rows(Task.SEGMENTATION).set_index("image_id")
    stored = cv2.imdecode(np.frombuffer(judged.dataset.mask_bytes(rows.loc[name]), np.uint8), cv2.IMREAD_UNCHANGED)
    assert set(np.unique(stored)) == {0, 255}
    assert (stored.ndim, stored.dtype) == (2, np.uint8)
    assert np.mean(stored != mask_of()) < 0.01


def test_no_other_mask_is_repaired(judged: Validated) -> None:
    assert judged.report["repaired_masks"] == sorted(ODD_MASKS)
