"""Where images lie and what saw them: the step store, the project's data/, DVC's cache and remotes, MLflow.

Manifests tell: every dataset has one, wherever it lies, and each names its images and the shards in which they are. Nothing is
changed here.
"""

import hashlib
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from components.bundle import read_description
from components.dataset import Dataset, data_version, read_manifest
from components.errors import VersionError
from components.files import sha256_file
from components.release import read_release
from components.store import Store
from components.withdrawn import FILE, Withdrawn, read_withdrawn
from pipelines.data.objects import MANIFEST, Folder, Objects, places
from pipelines.data.outputs import (
    HOLDING,
    MADE_FROM,
    NAMELESS,
    SHOWING_STEPS,
    Entry,
    RemoteOutputs,
    is_training,
    named_version,
    pictures_of,
)
from pipelines.data.project import Project
from pipelines.data.seen import Seen, Tracked
from pipelines.data.without import holds, shards_of
from pipelines.home import Home

INGESTED = Path("data/ingest")

_STATES = ("out", "work", "deleted")
_KINDS = (("image", "image_id"), ("lesion", "lesion_id"), ("patient", "patient_id"))
_PICTURES = frozenset({".jpg", ".jpeg", ".png"})


@dataclass
class Taken:
    """What goes: ids of images, and the SHA-256 of their files."""

    images: set[str] = field(default_factory=set)
    digests: set[str] = field(default_factory=set)

    def of(self, manifest: pd.DataFrame) -> pd.DataFrame:
        """The rows of a manifest that go."""
        return manifest[holds(manifest, self.images, self.digests)]

    def add(self, rows: pd.DataFrame) -> None:
        """Take the images of these rows too."""
        self.images |= set(rows["image_id"])
        self.digests |= {*rows["sha256"], *rows["mask_sha256"].dropna()}


@dataclass
class Traces:
    """All that a withdrawal touches.

    Attributes:
        requests: (kind, id) that was asked for → its images and files; `all` of them together.
        rows: the rows that go, one for each image and task, from the manifest that says most of it.
        versions: data versions that held them.
        entries: folders `steps/<step>/<key>`, of the home and of its repetitions, that hold them, or pictures of them, or may hold
            them.
        fetched: what was fetched from S3 to be looked at, and what killed fetches left, whatever it holds.
        folders: folders of the project and of the home's runs that hold them.
        files: files of the project's data/ that are theirs, as they came.
        ingested: data/ingest, where it holds them.
        shards: names of the shards in which they lie, wherever.
        dvc: DVC's folders that hold them.
        raw: MD5s of their own files among DVC's objects.
        objects: MD5s of DVC's objects that go: files, then manifests, then the folders.
        neighbours: other images that lie in the same shards of DVC and not in data/ingest: they would be lost.
        seen: runs and model versions of MLflow that used the data.
        made: models and releases of the store that did.
        pictures: pictures and pages of theirs, in the store and in what killed trainings left.
        remote: (step, key) of the step store on S3 that go, for the same reasons.
    """

    requests: dict[tuple[str, str], Taken] = field(default_factory=dict)
    all: Taken = field(default_factory=Taken)
    rows: pd.DataFrame = field(default_factory=pd.DataFrame)
    versions: set[str] = field(default_factory=set)
    entries: list[Path] = field(default_factory=list)
    fetched: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    ingested: Path | None = None
    shards: set[str] = field(default_factory=set)
    dvc: set[str] = field(default_factory=set)
    raw: set[str] = field(default_factory=set)
    objects: list[str] = field(default_factory=list)
    neighbours: set[str] = field(default_factory=set)
    seen: Seen = field(default_factory=Seen)
    made: list[str] = field(default_factory=list)
    pictures: list[Path] = field(default_factory=list)
    remote: list[Entry] = field(default_factory=list)

    @property
    def nothing_left(self) -> bool:
        """Whether nothing of the images lies anywhere any more."""
        here = (self.entries, self.fetched, self.folders, self.files, self.ingested, self.pictures)
        return not any((*here, self.raw, self.objects, self.remote))

    @property
    def seen_by(self) -> list[str]:
        """What used the data, by name."""
        return list(dict.fromkeys([*(run.name for run in self.seen.runs), *(model.name for model in self.seen.models), *self.made]))


class Search:
    """Looks for images by the ids of images, lesions or patients.

    Args:
        home: the home whose store, repetitions, runs and tracking are looked through.
        project: the project whose data/, cache and remotes are looked through, or None.
        remote: the step store on S3 that is looked through, or None.
    """

    def __init__(self, home: Home, project: Project | None, remote: RemoteOutputs | None = None) -> None:
        self.remote = remote
        self._home = home
        self._project = project
        self._stores = [Store(home.root), *(Store(repetition) for repetition in sorted(home.repetitions.glob("*")))]

    @property
    def record_file(self) -> Path:
        """withdrawn.csv: in the project, else in the home, whose ingest looks for it there from whatever folder it is started."""
        return (self._project.root if self._project else self._home.root) / FILE

    @property
    def record(self) -> Withdrawn:
        """What was withdrawn so far."""
        return read_withdrawn(self.record_file) if self.record_file.is_file() else Withdrawn()

    @cached_property
    def places(self) -> dict[Objects, set[str]]:
        """DVC's cache and its remotes, each with the MD5s of all that lies there."""
        return {place: place.ids() for place in places(self._project)} if self._project else {}

    def traces(self, ids: Iterable[str]) -> Traces:
        """Find all that is left of these images.

        Raises:
            VersionError: an id is of no data and no record, a remote cannot be looked through, or data/ingest must be pulled first.
            DatasetError: a manifest cannot be read, so that it cannot be told what it holds.
            TrackingError: MLflow does not answer.
        """
        traces = Traces()
        for name in dict.fromkeys(ids):
            self._resolve(name, traces)
        for taken in traces.requests.values():
            traces.all.images |= taken.images
            traces.all.digests |= taken.digests
        traces.rows = self._rows(traces.all)
        recorded = [row for row in self.record.rows if (row.kind, row.id) in traces.requests]
        traces.versions |= {version for row in recorded for version in row.versions}
        traces.versions |= {data_version(frame) for frame in self._manifests() if not traces.all.of(frame).empty}
        self._look_at_folders(traces)
        self._look_at_dvc(traces, {folder for row in recorded for folder in row.folders})
        self._look_at_remote_outputs(traces)
        self._look_at_what_was_made(traces)
        self._refuse_losing_others(traces)
        return traces

    # ------------------------------------------------------------------ manifests

    @cached_property
    def _local(self) -> dict[Path, pd.DataFrame]:
        """Dataset folder of the file system → its manifest."""
        found = [path for store in self._stores for state in _STATES for path in store.root.glob(f"*/*/{state}/{MANIFEST}")]
        found += self._home.runs.glob(f"*/kfp/**/{MANIFEST}")
        if self._project is not None:
            found += (self._project.root / "data").glob(f"*/{MANIFEST}")
        return {path.parent: read_manifest(path.parent) for path in found}

    @cached_property
    def _folders(self) -> dict[str, Folder]:
        """All folders of DVC's cache and remotes, by their MD5."""
        found: dict[str, Folder] = {}
        for place, ids in self.places.items():
            found |= {oid: place.folder(oid) for oid in ids if oid.endswith(".dir") and oid not in found}
        return found

    @cached_property
    def _in_dvc(self) -> dict[str, pd.DataFrame]:
        """DVC's folder → its manifest, where it has one and some place holds it."""
        found: dict[str, pd.DataFrame] = {}
        for folder in self._folders.values():
            place = self._holder(folder.files.get(MANIFEST, ""))
            if place is not None:
                found[folder.id] = place.manifest(folder)
        return found

    def _holder(self, oid: str) -> Objects | None:
        return next((place for place, ids in self.places.items() if oid in ids), None)

    def _manifests(self) -> Iterator[pd.DataFrame]:
        yield from self._local.values()
        yield from self._in_dvc.values()
        if self.remote is not None:
            yield from self.remote.manifests.values()

    # ------------------------------------------------------------------ images

    def _resolve(self, name: str, traces: Traces) -> None:
        """From an id to images and files: all of a lesion or patient, and whatever has the same bytes under another id."""
        for kind, column in _KINDS:
            rows = pd.concat([frame[frame[column] == name] for frame in self._manifests()] or [pd.DataFrame(columns=[column])])
            recorded = [row for row in self.record.rows if (row.kind, row.id) == (kind, name)]
            if rows.empty and not recorded:
                continue
            taken = traces.requests[kind, name] = Taken()
            for row in recorded:
                taken.images |= set(row.image_ids)
                taken.digests |= set(row.sha256)
            if not rows.empty:
                taken.add(rows)
            self._widen(taken)
        if not any(asked == name for _, asked in traces.requests):
            raise VersionError(f"{name}: is no image, lesion or patient of the data in this home, this project and its remotes")

    def _widen(self, taken: Taken) -> None:
        known = -1
        while known != len(taken.images) + len(taken.digests):
            known = len(taken.images) + len(taken.digests)
            for frame in self._manifests():
                taken.add(taken.of(frame))
        # Two images may have the same mask, an oval of the same size: that of the other one stays.
        others = (frame.loc[~holds(frame, taken.images, taken.digests), "mask_sha256"].dropna() for frame in self._manifests())
        taken.digests.difference_update(*others)

    def _rows(self, taken: Taken) -> pd.DataFrame:
        rows = pd.concat([taken.of(frame) for frame in self._manifests()] or [pd.DataFrame()])
        if rows.empty:
            return rows
        rows = rows.sort_values("split", na_position="last", kind="stable")  # ingest's manifests have no split yet
        return rows.drop_duplicates(["image_id", "task"]).sort_values(["image_id", "task"], ignore_index=True)

    # ------------------------------------------------------------------ places

    def _look_at_folders(self, traces: Traces) -> None:
        for root, frame in self._local.items():
            gone = traces.all.of(frame)
            if gone.empty:
                continue
            traces.shards |= {Path(shard).name for shard in shards_of(gone) if (root / shard).exists()}
            if any(store.root in root.parents for store in self._stores):
                traces.entries.append(root.parent)
            elif self._project is not None and root == self._project.root / INGESTED:
                traces.ingested = root
            else:
                traces.folders.append(root)
        for step, place in self._places():
            if step in NAMELESS or (step in HOLDING | SHOWING_STEPS and _is_begun(place)):
                traces.entries.append(place)
            traces.fetched += [path for path in (place / "told", *sorted(place.glob(".*.fetched"))) if path.is_dir()]
        traces.files = [
            path for path in self._loose_pictures() if _is_named(path.name, traces.all) or sha256_file(path) in traces.all.digests
        ]

    def _places(self) -> Iterator[tuple[str, Path]]:
        """All folders `steps/<step>/<key>` of the home and of its repetitions, each with its step."""
        for store in self._stores:
            for step, key in store.entries():
                yield step, store.place(step, key)

    def _loose_pictures(self) -> Iterator[Path]:
        """Pictures of the project's data/ that lie in no dataset folder: data that came, and was added to DVC as it is."""
        if self._project is not None:
            for path in (self._project.root / "data").rglob("*"):
                if path.suffix.lower() in _PICTURES and path.is_file() and not any(root in path.parents for root in self._local):
                    yield path

    def _look_at_dvc(self, traces: Traces, recorded: Set[str]) -> None:
        bearing: set[str] = set()
        files: set[str] = set()
        for folder in self._folders.values():
            frame = self._in_dvc.get(folder.id)
            gone = None if frame is None else traces.all.of(frame)
            if gone is not None and frame is not None and not gone.empty:
                traces.dvc.add(folder.id)
                shards = shards_of(gone)
                traces.shards |= {Path(shard).name for shard in shards if shard in folder.files}
                bearing |= {oid for path, oid in folder.files.items() if path in shards}
                files |= {oid for path, oid in folder.files.items() if not path.startswith("shards/")}
                traces.neighbours |= set(frame.loc[frame["shard"].isin(shards), "image_id"]) - set(gone["image_id"])
            elif folder.id in recorded:
                traces.dvc.add(folder.id)
        for folder in self._folders.values():
            if folder.id not in traces.dvc and self._version_of(folder) in traces.versions:
                traces.dvc.add(folder.id)
                files |= set(folder.files.values())
        # What a sound folder has too (settings, a list of licences) stays; what holds an image goes, whoever else has it.
        sound = {oid for folder in self._folders.values() if folder.id not in traces.dvc for oid in folder.files.values()}
        gone_files = bearing | (files - sound)
        manifests = {self._folders[oid].files[MANIFEST] for oid in traces.dvc if MANIFEST in self._folders[oid].files} & gone_files
        there = set().union(*self.places.values()) if self.places else set()
        loose = [folder for folder in self._folders.values() if MANIFEST not in folder.files]
        named = {oid for folder in loose for path, oid in folder.files.items() if _is_named(Path(path).name, traces.all)}
        traces.raw = (self._own_files(traces.all) | named) & there
        ordered = [*sorted(gone_files - manifests), *sorted(manifests), *sorted(traces.dvc)]
        traces.objects = [oid for oid in ordered if oid in there]

    def _look_at_remote_outputs(self, traces: Traces) -> None:
        if self.remote is None:
            return
        held = {entry for entry, frame in self.remote.manifests.items() if not traces.all.of(frame).empty}
        traces.remote = self.remote.going(held, traces.versions)

    def _version_of(self, folder: Folder) -> str | None:
        """Data version from which DVC's folder of a plan, of scores or of an audit, and their pictures, was made."""
        for name in MADE_FROM:
            place = self._holder(folder.files.get(name, ""))
            if place is not None:
                return named_version(place.read(folder.files[name]))
        return None

    def _own_files(self, taken: Taken) -> set[str]:
        """MD5s of the images' own files: DVC's names for them where a folder of files was added to it as it came."""
        found: set[str] = set()
        for root, frame in self._local.items():
            rows = taken.of(frame)
            if rows.empty or not str(rows.iloc[0]["shard"]).endswith(".zip"):
                continue
            dataset = Dataset(root)
            for _, row in rows.iterrows():
                if not all((root / shard).exists() for shard in shards_of(rows.loc[[row.name]])):
                    continue  # an attempt that was killed has deleted it, and before it what these digests name
                found.add(_md5(dataset.image_bytes(row)))
                if row["mask_sha256"] in taken.digests:
                    found.add(_md5(dataset.mask_bytes(row)))
        return found

    def _look_at_what_was_made(self, traces: Traces) -> None:
        known = {data_version(frame) for frame in self._manifests()}
        traces.seen = Tracked(self._home).find(traces.versions, known)
        published = {(model.model, model.number) for model in traces.seen.models}
        for step, place in self._places():
            out = place / "out"
            if _folder_version(out) in traces.versions:
                traces.entries.append(place)
            elif step.startswith("train_") and (out / "bundle.json").exists():
                description = read_description(out)
                if description.data_version in traces.versions:
                    traces.made.append(f"model {description.name} ({step} {place.name[:8]})")
                    traces.pictures += pictures_of(out)
            elif step == "register" and (out / "release.json").exists():
                release = read_release(out)
                names = [f"{one.name} {one.version}" for one in release.judged if (one.name, str(one.version)) in published]
                if names:
                    traces.made.append(f"release of run {release.run_id}: {', '.join(names)}")
                    traces.pictures += pictures_of(out)
            if is_training(step):  # what a killed attempt drew may be of any data
                traces.pictures += [path for state in ("work", "deleted") for path in pictures_of(place / state)]
        traces.entries = sorted(set(traces.entries))
        folders = [self._home.audit, *((self._project.root / "data").glob("*") if self._project else ())]
        traces.folders += [path for path in folders if path not in self._local and _folder_version(path) in traces.versions]

    def _refuse_losing_others(self, traces: Traces) -> None:
        """DVC may be the only place that still has the other images: data/ingest must be here to be written again without these."""
        if self._project is None:
            return
        root = self._project.root / INGESTED
        out = next((out for out in self._project.tracked if Path(out.fspath) == root), None)
        if out is not None and str(out.hash_info.value) in traces.dvc and root not in self._local:
            raise VersionError(
                f"{INGESTED}: is not here, and DVC's copy goes with the images; `dermacare data pull` first, to keep the others"
            )
        kept = set(self._local[root]["image_id"]) if root in self._local else set()
        traces.neighbours -= kept


def _is_begun(place: Path) -> bool:
    return any((place / state).is_dir() for state in ("work", "deleted"))


def _is_named(file: str, taken: Taken) -> bool:
    """Whether a picture is called as one of the images or its mask: ingest drops what names a person, so its bytes may differ."""
    path = Path(file)
    return path.suffix.lower() in _PICTURES and path.stem.removesuffix("_segmentation") in taken.images


def _folder_version(folder: Path) -> str | None:
    """Data version from which a folder of a plan, of scores or of an audit was made; None where it holds none."""
    for name in MADE_FROM:
        if (folder / name).is_file():
            return named_version((folder / name).read_bytes())
    return None


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
