"""From listings to records: which copy of an image serves which task, and with which label and mask."""

from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field

from components.errors import ImageFormatError, SourceError
from components.files import sha256_bytes
from components.images import read_size
from components.ingest.source import LABEL, Listing, Picture, Problem, Row, image_id
from components.lesions import Task

IMAGE = "image"
MASK = "mask"

# A mask may be scaled against its image, but a crop has another shape: HAM10000's 256 x 256 beside 600 x 450.
ASPECT_TOLERANCE = 0.02

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Copy:
    """A picture that was read once: size in pixels (EXIF rotation applied), bytes and digest."""

    picture: Picture
    height: int
    width: int
    bytes: int
    sha256: str

    @property
    def rank(self) -> tuple[int, int]:
        """Larger is better; of two equal ones the less compressed."""
        return self.height * self.width, self.bytes

    def fits(self, other: "Copy") -> bool:
        """Whether two pictures have the same shape, whatever their scale."""
        across = self.height * other.width
        return abs(self.width * other.height - across) <= ASPECT_TOLERANCE * across


@dataclass(frozen=True)
class Record:
    """One image of one task: a row of the manifest to be."""

    image_id: str
    task: Task
    image: Copy
    mask: Copy | None
    values: Mapping[str, str | float]


@dataclass
class Matched:
    """All records of all sources, by image id; what is set aside; what the user should read."""

    records: list[Record] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)


def match(listings: Iterable[Listing], progress: Progress) -> Matched:
    """Bring the pictures, masks and tables of all sources together.

    Each picture that has a diagnosis or a mask is read once and let go, so memory stays flat. Of several copies the largest is
    taken, for segmentation the largest that has the shape of a mask.

    Raises:
        SourceError: no picture has a diagnosis or a mask.
    """
    whole = _together(listings)
    values, contradictions = _merge(whole.rows)
    named = values.keys() | {problem.image for problem in whole.problems}
    if not whole.images:
        raise SourceError(
            f"ingest.sources: {len(named):,} images have a row and {len(whole.masks):,} a mask, but not one of them lies there; "
            "add the folder that holds the images"
        )
    # Tables repeat rows, the bad ones too.
    said = {(p.image, p.field, p.reason): p for p in reversed(whole.problems + contradictions)}.values()
    problems = [p for p in said if p.image in whole.images or image_id(p.image) is None]
    used = sorted(name for name in whole.images if LABEL in values.get(name, {}) or name in whole.masks)
    if not used and not problems:
        raise SourceError(
            f"ingest.sources: none of the {len(whole.images):,} images has a diagnosis in a table or a mask; "
            "add ISIC 2019's tables, or masks called <image>_segmentation.png"
        )
    loose = whole.images.keys() - used - {problem.image for problem in problems}
    matched = Matched(problems=problems, messages=whole.messages + _left_out(whole, named, loose))
    barred: dict[str, set[str]] = {}
    for problem in problems:
        barred.setdefault(problem.image, set()).add(problem.field)
    for done, name in enumerate(used, start=1):
        tasks = _tasks(barred.get(name, set()), LABEL in values.get(name, {}), name in whole.masks)
        _match_image(name, tasks, whole, values.get(name, {}), matched)
        progress(done, len(used), "images read")
    return matched


def _together(listings: Iterable[Listing]) -> Listing:
    whole = Listing()
    for listing in listings:
        for name, pictures in listing.images.items():
            whole.images.setdefault(name, []).extend(pictures)
        for name, pictures in listing.masks.items():
            whole.masks.setdefault(name, []).extend(pictures)
        whole.rows += listing.rows
        whole.problems += listing.problems
        whole.messages += listing.messages
    return whole


def _merge(rows: Iterable[Row]) -> tuple[dict[str, dict[str, str | float]], list[Problem]]:
    """What the tables say of each image; rows that repeat each other are one, rows that differ in a value are a problem."""
    values: dict[str, dict[str, str | float]] = {}
    files: dict[tuple[str, str], str] = {}
    problems: dict[tuple[str, str], Problem] = {}
    for row in rows:
        known = values.setdefault(row.image, {})
        for name, value in row.values.items():
            before = known.setdefault(name, value)
            file = files.setdefault((row.image, name), row.file)
            if before != value:
                what = "two labels" if name == LABEL else f"two values of {name}"
                where = row.file if row.file == file else f"{file} and {row.file}"
                problems[row.image, name] = Problem(row.image, f"{what}: {before} and {value}", where, name)
    return values, list(problems.values())


def _left_out(whole: Listing, named: Set[str], loose: Set[str]) -> list[str]:
    absent = {name for name in named - whole.images.keys() if image_id(name) is not None}
    companions = {name for name in loose if _belongs_to_another(name, whole.images)}
    counts = {
        "images that tables name but that do not lie there": len(absent),
        "images with neither a diagnosis in a table nor a mask": len(loose - companions),
        "pictures drawn from other images, such as <image>_superpixels.png": len(companions),
        "masks without image": len(whole.masks.keys() - whole.images.keys()),
    }
    return [f"left out: {what}: {count:,}" for what, count in counts.items() if count]


def _belongs_to_another(name: str, images: Collection[str]) -> bool:
    parts = name.split("_")
    return any("_".join(parts[:count]) in images for count in range(1, len(parts)))


def _tasks(barred: Collection[str], labelled: bool, masked: bool) -> list[Task]:
    if set(barred) - {LABEL, MASK}:
        return []
    classify = [Task.CLASSIFICATION] if labelled and LABEL not in barred else []
    return classify + ([Task.SEGMENTATION] if masked and MASK not in barred else [])


def _match_image(name: str, tasks: list[Task], whole: Listing, values: Mapping[str, str | float], matched: Matched) -> None:
    if not tasks:
        return
    images = _copies(name, whole.images[name], IMAGE, matched)
    masks = _copies(name, whole.masks[name], MASK, matched) if images and Task.SEGMENTATION in tasks else []
    if images and Task.CLASSIFICATION in tasks:
        matched.records.append(Record(name, Task.CLASSIFICATION, images[0], None, values))
    pair = next(((image, mask) for image in images for mask in masks if image.fits(mask)), None)
    if pair:
        matched.records.append(Record(name, Task.SEGMENTATION, *pair, values))
    elif images and masks:
        mask, image = masks[0], images[0]
        reason = f"the mask has {mask.width} x {mask.height} pixels, another shape than its image's {image.width} x {image.height}"
        matched.problems.append(Problem(name, reason, mask.picture.file, MASK))


def _copies(name: str, pictures: Iterable[Picture], field: str, matched: Matched) -> list[Copy]:
    """The copies of a picture that can be read, best first; where there is none, a problem."""
    copies, refused = [], []
    for picture in pictures:
        try:
            data = picture.read()
            copies.append(Copy(picture, *read_size(data, picture.file), len(data), sha256_bytes(data)))
        except (SourceError, ImageFormatError) as error:
            refused.append(Problem(name, str(error).removeprefix(f"{picture.file}: "), picture.file, field))
    if copies:
        matched.messages += [f"{problem.file}: {problem.reason}; another copy was taken" for problem in refused]
    else:
        matched.problems += refused[:1]
    return sorted(copies, key=lambda copy: copy.rank, reverse=True)
