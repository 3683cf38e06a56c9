"""The plan that training follows, plan.json: one model, written and read here alone. It is a file to read, and to edit by hand."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from components.augment_balance.balance import limit_images
from components.errors import DatasetError
from components.files import write_text
from components.lesions import Diagnosis, Task

_FILE = "plan.json"
_Count = Annotated[int, Field(ge=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Ranges(_Part):
    """What each draw of an image is drawn from, evenly.

    Attributes:
        rotation: degrees, -rotation to +rotation about the middle.
        horizontal_flip: mirror left and right, half of the time.
        vertical_flip: mirror up and down, half of the time.
        zoom: magnification 1 - zoom to 1 + zoom.
        brightness: added to every channel, -brightness to +brightness of the range 0 to 1; the image alone, never the mask, as all
            that follows.
        contrast: a pixel's distance to the image's mean is multiplied by 1 - contrast to 1 + contrast.
        saturation: a pixel's distance to grey is multiplied by 1 - saturation to 1 + saturation.
        hue: all hues turn by -hue to +hue of the circle.
        hair: share of the samples that hairs are painted on.
    """

    rotation: float = Field(ge=0, le=180)
    horizontal_flip: bool
    vertical_flip: bool
    zoom: float = Field(ge=0, le=0.9)
    brightness: float = Field(ge=0, le=1)
    # A plan that was written before these were there draws none of them.
    contrast: float = Field(default=0, ge=0, le=0.9)
    saturation: float = Field(default=0, ge=0, le=0.9)
    hue: float = Field(default=0, ge=0, le=0.5)
    hair: float = Field(default=0, ge=0, le=1)


class Balance(_Part):
    """The rule that repeats and class weights follow from.

    Attributes:
        max_repeats: most times that an epoch shows an image; 1: none is repeated.
        class_weights: whether diagnoses are weighed.
    """

    max_repeats: _Count
    class_weights: bool


class ClassificationPlan(_Part):
    """How the diagnoses are balanced; diagnoses of which no image is in train are left out.

    Attributes:
        balance: by which rule they are, so that other rows than train's can be balanced as well; None: of a plan that was written
            before it was there.
        images: training images of each diagnosis.
        max_images: most images of a diagnosis that an epoch shows; the next epoch goes on with those that come after them, so that
            all have their turn. None: each epoch shows all of them.
        repeats: how often an epoch shows each of the images that it shows, drawn anew each time.
        class_weights: weight of a sample of each diagnosis in the loss.
    """

    balance: Balance | None = None
    images: dict[Diagnosis, _Count]
    max_images: _Count | None = None
    repeats: dict[Diagnosis, _Count]
    class_weights: dict[Diagnosis, Annotated[float, Field(ge=0)]]

    @model_validator(mode="after")
    def _same_diagnoses(self) -> "ClassificationPlan":
        if not self.images.keys() == self.repeats.keys() == self.class_weights.keys():
            raise ValueError("images, repeats and class_weights must name the same diagnoses")
        return self

    @property
    def shown(self) -> dict[Diagnosis, int]:
        """Images of each diagnosis that an epoch shows."""
        return limit_images(self.images, self.max_images)

    @property
    def samples(self) -> int:
        """Samples of one epoch."""
        return sum(count * self.repeats[label] for label, count in self.shown.items())


class SegmentationPlan(_Part):
    """Segmentation has no classes to balance, but sources: an epoch shows an image once, or those of a large source in turn.

    Attributes:
        images: training images of each source.
        max_images: most images of a source that an epoch shows; the next epoch goes on with those that come after them. None: each
            epoch shows all of them.
    """

    images: dict[str, _Count]
    max_images: _Count | None = None

    @property
    def samples(self) -> int:
        """Samples of one epoch."""
        return sum(limit_images(self.images, self.max_images).values())


class Plan(_Part):
    """What both trainers draw from.

    Attributes:
        schema_version: of this file.
        data_version: of the dataset that the plan was made for.
        seed: of every draw.
        ranges: of the draws.
        classification: None where the dataset has no image for it.
        segmentation: None where the dataset has no image for it.
    """

    schema_version: Literal[1] = 1
    data_version: str
    seed: int = Field(ge=0)
    ranges: Ranges
    classification: ClassificationPlan | None
    segmentation: SegmentationPlan | None

    def tasks(self) -> list[Task]:
        """Tasks that the plan is made for."""
        return [task for task in Task if getattr(self, task.value) is not None]


def write_plan(root: Path, plan: Plan) -> None:
    """Write plan.json into the folder `root`, byte-identical for the same plan."""
    write_text(root / _FILE, plan.model_dump_json(indent=1) + "\n")


def read_plan(root: Path) -> Plan:
    """Read the plan.json of the folder `root`, as `augment_balance` wrote it or someone edited it.

    Raises:
        DatasetError: the file is absent, damaged or of another schema version; the text names the field.
    """
    path = root / _FILE
    try:
        return Plan.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); make the plan again") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise DatasetError(f"{path}: {field} is wrong ({first['msg']}); mend it or make the plan again") from error
