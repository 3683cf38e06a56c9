"""From listings to what is to be stored: which copy of an image serves which task, with which mask, and what tables say of it."""

from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field

from components.errors import ImageFormatError, PictureError, SourceError
from components.images import read_size
from components.ingest.source import LABEL, Listing, Picture, Problem, Progress, Row, image_id
from components.lesions import Task

IMAGE = "image"
MASK = "mask"

# A mask may be scaled against its image, but a crop has another shape: HAM10000's 256 x 256 beside 600 x 450.
ASPECT_TOLERANCE = 0.02

_JPEG = b"\xff\xd8"

Values = Mapping[str, str | float]
Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Item:
    """A picture to store, beside its mask where it has one, and the tasks that it serves."""

    image_id: str
    tasks: tuple[Task, ...]
    image: Picture
    mask: Picture | None = None

    @property
    def bytes(self) -> int:
        """Length of its files at their source."""
        return self.image.blob.size + (self.mask.blob.size if self.mask else 0)


@dataclass
class Matched:
    """What is to be stored, in the order in which it is best read; what the tables say of each image; what is set aside; what the
    user should read."""

    items: list[Item] = field(default_factory=list)
    values: dict[str, dict[str, str | float]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)


def match(whole: Listing, progress: Progress) -> Matched:
    """Bring the pictures, masks and tables of all sources together.

    A picture of which there is one copy is not read. Of several copies the largest is taken, for segmentation the largest that has
    the shape of a mask, and their headers tell which that is.

    Args:
        whole: all sources' listings in one: see `together`.
        progress: is told how many images are chosen.

    Raises:
        SourceError: no picture has a diagnosis or a mask.
    """
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
    matched = Matched(values=values, problems=problems, messages=whole.messages + _left_out(whole, named, loose))
    barred: dict[str, set[str]] = {}
    for problem in problems:
        barred.setdefault(problem.image, set()).add(problem.field)
    for done, name in enumerate(used, start=1):
        tasks = _tasks(barred.get(name, set()), LABEL in values.get(name, {}), name in whole.masks)
        if tasks:
            _choose(name, tasks, whole, matched)
        progress(done, len(used), "images chosen")
    matched.items.sort(key=_reading_order)
    return matched


def _reading_order(item: Item) -> tuple[bool, tuple[str, int], str]:
    """Images with masks first; members of a zip from its front to its end, all else by id."""
    return item.mask is None, item.image.blob.place, item.image_id


def together(listings: Iterable[Listing]) -> Listing:
    """All listings in one, in their order."""
    whole = Listing()
    for listing in listings:
        whole.origins += listing.origins
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


def fits(image: Size, mask: Size) -> bool:
    """Whether a mask has the shape of its image, whatever its scale; sizes are height, width."""
    across = image[0] * mask[1]
    return abs(image[1] * mask[0] - across) <= ASPECT_TOLERANCE * across


def misfit(image: Size, mask: Size) -> str:
    """The reason for which a mask that does not fit is set aside."""
    return f"the mask has {mask[1]} x {mask[0]} pixels, another shape than its image's {image[1]} x {image[0]}"


def _choose(name: str, tasks: list[Task], whole: Listing, matched: Matched) -> None:
    """Add what of an image is to be stored."""
    images = whole.images[name]
    masks = whole.masks[name] if Task.SEGMENTATION in tasks else []
    if len(images) == 1 and len(masks) <= 1:
        # Whether the mask fits is seen when both are read.
        matched.items.append(Item(name, tuple(tasks), images[0], masks[0] if masks else None))
        return
    copies = _ranked(name, images, IMAGE, matched)
    pictured = _ranked(name, masks, MASK, matched) if copies and masks else []
    pair = next(((image, mask) for image, size in copies for mask, shape in pictured if fits(size, shape)), None)
    if copies and pictured and pair is None:
        matched.problems.append(Problem(name, misfit(copies[0][1], pictured[0][1]), pictured[0][0].file, MASK))
    if copies and Task.CLASSIFICATION in tasks and (pair is None or pair[0] is not copies[0][0]):
        matched.items.append(Item(name, (Task.CLASSIFICATION,), copies[0][0]))
        tasks = [Task.SEGMENTATION]
    if pair is not None:
        matched.items.append(Item(name, tuple(tasks), *pair))


def _ranked(name: str, pictures: Iterable[Picture], field: str, matched: Matched) -> list[tuple[Picture, Size]]:
    """The copies of a picture that can be read, with height and width, the largest first, of equal ones the less compressed; where
    there is none, a problem."""
    copies, refused = [], []
    for picture in pictures:
        try:
            copies.append((picture, _size(picture)))
        except (PictureError, ImageFormatError) as error:
            refused.append(Problem(name, reason_of(error, picture), picture.file, field))
    if copies:
        matched.messages += [f"{problem.file}: {problem.reason}; another copy was taken" for problem in refused]
    else:
        matched.problems += refused[:1]
    return sorted(copies, key=lambda copy: (copy[1][0] * copy[1][1], copy[0].blob.size), reverse=True)


def _size(picture: Picture) -> Size:
    """Height and width from a picture's first bytes; from all of them where those do not tell."""
    head = picture.blob.head()
    if head.startswith(_JPEG):
        try:
            return read_size(head, picture.file)
        except ImageFormatError:
            if len(head) >= picture.blob.size:
                raise
    return read_size(picture.blob.read(), picture.file)


def reason_of(error: Exception, picture: Picture) -> str:
    """What an error says of a picture, without its name."""
    return str(error).removeprefix(f"{picture.file}: ")
