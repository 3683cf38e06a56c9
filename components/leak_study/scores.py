"""What the study is set to and what it found, typed; `leak.json` is written and read here alone."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from components.errors import DatasetError
from components.files import write_text
from components.params import AugmentBalanceParams, PreprocessParams, Section, Share, TrainClassifierParams

LEAK_FILE = "leak.json"


class LeakStudyParams(Section):
    """How the study is made.

    Attributes:
        classifier: how both models are trained; `models` holds one name. `folds` plays no part.
        balance: how both are shown their images.
        test_share: share of the images in the test of the image split.
        preprocess: what the images went through.
    """

    classifier: TrainClassifierParams
    balance: AugmentBalanceParams
    test_share: Share
    preprocess: PreprocessParams


class _Found(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Paired(_Found):
    """A figure of both models on the same images, each 0 to 1.

    Attributes:
        clean: of the model that saw nothing of their groups.
        leaked: of the one that saw others of their groups.
        low: lower end of the 95 % interval of leaked - clean.
        high: its upper end.
    """

    clean: float
    leaked: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        """What the leak is worth: leaked - clean."""
        return self.leaked - self.clean


class LeakScores(_Found):
    """All that the study found.

    Attributes:
        data_version: of the dataset.
        preprocess: what they went through; None: a study of a version that did not say.
        phantom: whether its images were drawn.
        model: architecture.
        seeds: models of each kind that were averaged.
        test_images: judged by both.
        test_groups: that they are of.
        train_images: that each model learned from.
        leaked_images: of them, in the leaked model, images of groups of test; in the clean one others of the same diagnoses.
        leaking_share: of a random image split's test images, the share that has an image of its group in train.
        figures: `balanced_accuracy`, `accuracy`, `macro_f1`.
    """

    schema_version: Literal[1] = 1
    data_version: str
    preprocess: PreprocessParams | None = None
    phantom: bool
    model: str
    seeds: int
    test_images: int
    test_groups: int
    train_images: int
    leaked_images: int
    leaking_share: float
    figures: dict[str, Paired]

    def flat(self) -> dict[str, float]:
        """Every figure under one name, as MLflow shows it: `leak/balanced_accuracy/difference`."""
        counts = ("test_images", "test_groups", "train_images", "leaked_images", "leaking_share")
        found = {f"leak/{name}": float(getattr(self, name)) for name in counts}
        for name, one in self.figures.items():
            found |= {f"leak/{name}/{part}": getattr(one, part) for part in ("clean", "leaked", "difference", "low", "high")}
        return found


def write_leak(folder: Path, scores: LeakScores) -> None:
    """Write `leak.json`."""
    write_text(folder / LEAK_FILE, scores.model_dump_json(indent=2) + "\n")


def read_leak(folder: Path) -> LeakScores:
    """Read the `leak.json` of the study's output.

    Raises:
        DatasetError: it is absent, or not what `write_leak` writes.
    """
    path = folder / LEAK_FILE
    try:
        return LeakScores.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: does not exist; make the study first: dermacare study leak") from error
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the file"
        raise DatasetError(f"{path}: {where} is not as this program writes it ({problem['msg']}); make the study again") from error
