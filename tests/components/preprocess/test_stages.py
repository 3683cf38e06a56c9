from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from components.errors import ImageFormatError
from components.images import decode_image, read_size
from components.lesions import Diagnosis
from components.params import PreprocessParams
from components.preprocess.stages import preprocess_image, preprocess_mask, read_image, run_stages
from tests.components.preprocess.report_code import preprocess_as_the_report_does
from tests.datasets import draw_lesion

SIZES = [(224, 224), (256, 384), (75, 100)]  # height, width: the report's classifier, U-Net and ResNet50


@pytest.fixture(scope="module")
def drawn_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("drawn")
    return list(_draw(folder))


def _draw(folder: Path) -> Iterator[Path]:
    sizes = [(450, 600), (600, 450), (224, 224), (101, 77)]
    for number, label in enumerate(Diagnosis):
        image, _ = draw_lesion(label, sizes[number % len(sizes)], np.random.default_rng(number))
        path = folder / f"{label}.jpg"
        cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        yield path


def _differing(files: list[Path], size: tuple[int, int], params: PreprocessParams) -> list[str]:
    """Names of the files whose pixels differ from the report's; that code works in BGR and takes width, height."""
    return [
        file.name
        for file in files
        if not np.array_equal(
            preprocess_image(decode_image(file.read_bytes(), file.name), size, params),
            cv2.cvtColor(preprocess_as_the_report_does(file, width=size[1], height=size[0]), cv2.COLOR_BGR2RGB),
        )
    ]


@pytest.mark.parametrize("size", SIZES)
def test_drawn_images_come_out_bit_for_bit_as_the_reports_code_gives_them(
    drawn_files: list[Path], size: tuple[int, int], report_params: PreprocessParams
) -> None:
    assert _differing(drawn_files, size, report_params) == []


@pytest.mark.parametrize("size", SIZES)
def test_real_images_come_out_bit_for_bit_as_the_reports_code_gives_them(
    real_data: Path, size: tuple[int, int], report_params: PreprocessParams
) -> None:
    folders = ["isic/segmentation_ham10000/images", "isic/classification/images", "isic/segmentation/images", "ham10000/images"]
    files = [file for folder in folders for file in _spread(real_data / folder, 52)]
    assert len(files) >= 200
    assert _differing(files, size, report_params) == []


def test_fast_pixels_of_real_images_lie_within_the_stated_bound_of_exact_ones(
    real_data: Path, report_params: PreprocessParams
) -> None:
    folders = ["isic/segmentation_ham10000/images", "isic/classification/images", "isic/segmentation/images"]
    files = [file for folder in folders for file in _spread(real_data / folder, 40)]
    sizes = [read_size(file.read_bytes(), file.name) for file in files]
    large = [file for file, size in zip(files, sizes, strict=True) if min(size) >= 448]
    assert len(large) >= 60
    differences = [_difference(file, (224, 224), report_params) for file in large]
    print(f"fast against exact, mean absolute difference over {len(large)} real images: {np.mean(differences):.2f} grey levels")
    assert 0 < np.mean(differences) <= 5
    assert max(differences) <= 16


def test_fast_pixels_without_hair_removal_and_contrast_are_those_of_the_image(
    drawn_files: list[Path], report_params: PreprocessParams
) -> None:
    data = drawn_files[2].read_bytes()  # 224 x 224
    plain = report_params.model_copy(update={"remove_hair": False, "equalise": False})
    fast = plain.model_copy(update={"mode": "fast"})
    exact, quick = (read_image(data, "", (224, 224), params).astype(int) for params in (plain, fast))
    assert np.abs(exact - quick).max() <= 3  # there and back between RGB and YCrCb


def _difference(file: Path, size: tuple[int, int], params: PreprocessParams) -> float:
    """Mean absolute difference of the two modes, in grey levels."""
    data, fast = file.read_bytes(), params.model_copy(update={"mode": "fast"})
    exact, quick = (read_image(data, file.name, size, mode).astype(int) for mode in (params, fast))
    return float(np.abs(exact - quick).mean())


def _spread(folder: Path, count: int) -> list[Path]:
    files = sorted(folder.glob("*.jpg"))
    return files[:: max(1, len(files) // count)][:count]


def test_the_pixels_do_not_depend_on_opencvs_threads(drawn_files: list[Path], report_params: PreprocessParams) -> None:
    image = decode_image(drawn_files[0].read_bytes(), "drawn")
    before = cv2.getNumThreads()
    try:
        results = []
        for threads in (1, 2):
            cv2.setNumThreads(threads)
            results.append(preprocess_image(image, (256, 384), report_params))
    finally:
        cv2.setNumThreads(before)
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_the_stages_end_with_the_pixels_that_are_stored(mode: str, report_params: PreprocessParams) -> None:
    image, _ = draw_lesion(Diagnosis.BCC, (240, 320), np.random.default_rng(3))
    params = report_params.model_copy(update={"mode": mode})
    stages = run_stages(image, (224, 224), params)
    np.testing.assert_array_equal(stages.equalised, preprocess_image(image, (224, 224), params))
    assert (stages.hairless != stages.equalised).any()


def test_size_is_height_then_width(report_params: PreprocessParams) -> None:
    image, mask = draw_lesion(Diagnosis.NV, (60, 80), np.random.default_rng(0))
    assert preprocess_image(image, (32, 48), report_params).shape == (32, 48, 3)
    assert preprocess_mask(mask, (32, 48)).shape == (32, 48)


def test_red_stays_the_first_channel(report_params: PreprocessParams) -> None:
    image = np.full((64, 64, 3), (200, 60, 40), np.uint8)
    red, _, blue = preprocess_image(image, (32, 32), report_params).reshape(-1, 3).mean(axis=0)
    assert red > blue + 100


def test_a_stage_that_is_switched_off_changes_nothing(report_params: PreprocessParams) -> None:
    image, _ = draw_lesion(Diagnosis.MEL, (90, 120), np.random.default_rng(1))
    off = report_params.model_copy(update={"remove_hair": False, "equalise": False})
    np.testing.assert_array_equal(preprocess_image(image, (45, 60), off), cv2.resize(image, (60, 45)))


def test_the_stages_are_kept_apart_in_the_reports_order(report_params: PreprocessParams) -> None:
    image, _ = draw_lesion(Diagnosis.MEL, (224, 224), np.random.default_rng(2))
    untouched = image.copy()
    stages = run_stages(image, (224, 224), report_params)
    assert (stages.resized != stages.hairless).any()
    assert (stages.hairless != stages.equalised).any()
    np.testing.assert_array_equal(preprocess_image(image, (224, 224), report_params), stages.equalised)
    np.testing.assert_array_equal(image, untouched)


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 4), (8, 8, 1)])
def test_what_is_no_rgb_image_is_refused(shape: tuple[int, ...], report_params: PreprocessParams) -> None:
    with pytest.raises(ImageFormatError, match=r"image: is 8 x 8.* uint8; it must be height x width x 3 uint8"):
        preprocess_image(np.zeros(shape, np.uint8), (16, 16), report_params)


def test_a_float_image_is_refused(report_params: PreprocessParams) -> None:
    with pytest.raises(ImageFormatError, match="is 8 x 8 x 3 float32"):
        preprocess_image(np.zeros((8, 8, 3), np.float32), (16, 16), report_params)  # type: ignore[arg-type]
