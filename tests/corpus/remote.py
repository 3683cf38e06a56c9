"""Cells of zips, S3 and DVC: the same sound folder, read from where it is kept."""

import io
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from components.errors import SourceError, TableError
from components.files import sha256_bytes
from tests.components.ingest.remote import put_folder, zip_of
from tests.corpus.cells import Arrange, Cell, cells_of
from tests.corpus.files import bomb, reencoded, replaced
from tests.corpus.scene import IMAGE, VICTIM, Refused, Scene, SetAside, Taken, Told
from tests.environment import user_environment
from tests.isic_folder import IsicFolder

ZIP = "images.zip"


def zipped(change: Callable[[bytes], bytes] = bytes) -> Arrange:
    """All images lie in a zip, whose bytes are changed."""

    def arrange(scene: Scene) -> None:
        images = scene.folder.root / "images"
        scene.folder.raw(ZIP, change(zip_of(images)))
        shutil.rmtree(images)

    return arrange


def with_member(name: str, data: bytes) -> Callable[[bytes], bytes]:
    """One more file in a zip."""

    def change(whole: bytes) -> bytes:
        file = io.BytesIO(whole)
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr(name, data)
        return file.getvalue()

    return change


def listed(offset: int, value: bytes) -> Callable[[bytes], bytes]:
    """The victim's entry in the zip's list says something else: `value` at an offset from its start."""

    def change(whole: bytes) -> bytes:
        data = bytearray(whole)
        entry = data.rindex(f"{VICTIM}.jpg".encode()) - 46
        data[entry + offset : entry + offset + len(value)] = value
        return bytes(data)

    return change


def flipped(whole: bytes) -> bytes:
    """A bit of the victim's pixels is another, and the checksum in the list is not."""
    data = bytearray(whole)
    data[data.index(f"{VICTIM}.jpg".encode()) + 700] ^= 1
    return bytes(data)


def locked_zip(scene: Scene) -> None:
    zipped()(scene)
    (scene.folder.root / ZIP).chmod(0)
    scene.without_rights = True


def rewritten_zip(scene: Scene) -> None:
    zipped()(scene)
    scene.during = lambda: scene.folder.raw(ZIP, b"another" * 10_000)


def zips() -> Iterator[Cell]:
    """A zip of images in the folder."""
    no_zip = Refused(SourceError, f"clinic/{ZIP}: is no whole zip")
    return cells_of(
        "zip",
        {
            "absent": (
                lambda scene: shutil.rmtree(scene.folder.root / "images"), Refused(SourceError, "not one of them lies there"),
            ),
            "empty": (zipped(lambda data: b""), no_zip),
            "truncated": (zipped(lambda data: data[: len(data) // 2]), no_zip),
            "wrong type": (zipped(lambda data: b"Rar!\x1a\x07\x01\x00"), no_zip),
            "wrong encoding": (zipped(listed(8, struct.pack("<H", 1))), SetAside("image", "is encrypted")),
            "too large": (zipped(listed(24, struct.pack("<I", 2**31))), SetAside("image", "more than the 268,435,456")),
            "contradictory": (zipped(flipped), SetAside("image", "is damaged in its archive (Bad CRC-32")),
            "hostile": (zipped(with_member("../../evil.jpg", b"x")), Refused(SourceError, "leads out of the archive")),
            "unreadable": (locked_zip, Refused(SourceError, f"clinic/{ZIP}: cannot be read (Permission denied)")),
            "changing while read": (rewritten_zip, Refused(SourceError, f"clinic/{ZIP}: changed while it was read")),
        },
    )  # fmt: skip


def in_bucket(change: Arrange = lambda scene: None) -> Arrange:
    """The folder, damaged, lies in a bucket."""

    def arrange(scene: Scene) -> None:
        assert scene.bucket is not None
        change(scene)
        put_folder(scene.bucket.server, scene.bucket.name, "clinic", scene.folder.root)
        scene.read_bucket(f"{scene.bucket.name}/clinic")

    return arrange


def put(key: str, body: bytes) -> Arrange:
    """An object of the bucket is replaced, behind the back of whoever listed it."""
    return lambda scene: scene.bucket.server.client().put_object(Bucket=scene.bucket.name, Key=f"clinic/{key}", Body=body)


def no_bucket(scene: Scene) -> None:
    scene.read_bucket("no-such-bucket/clinic")


def empty_prefix(scene: Scene) -> None:
    in_bucket()(scene)
    scene.read_bucket(f"{scene.bucket.name}/elsewhere")


def cut_object(scene: Scene) -> None:
    in_bucket()(scene)
    scene.bucket.faults.ends_at[f"/{scene.bucket.name}/clinic/{IMAGE}"] = 100


def altered_on_the_way(scene: Scene) -> None:
    in_bucket()(scene)
    scene.bucket.faults.altered.add(f"/{scene.bucket.name}/clinic/{IMAGE}")


def hostile_key(scene: Scene) -> None:
    """A key may hold almost anything; what is no plain name is no image's id."""
    in_bucket()(scene)
    put("images/<script>alert(1)<script>.jpg", (scene.folder.root / IMAGE).read_bytes())(scene)


def refused_key(scene: Scene) -> None:
    in_bucket()(scene)
    scene.bucket.forget_credentials()


def replaced_object(scene: Scene) -> None:
    in_bucket()(scene)
    scene.during = lambda: put("images/ISIC_VASC_val.jpg", b"another")(scene)


def s3() -> Iterator[Cell]:
    """Loose files in a bucket."""
    return cells_of(
        "S3",
        {
            "absent": (no_bucket, Refused(SourceError, "does not exist; look at its name")),
            "empty": (empty_prefix, Refused(SourceError, "there is no JPEG, PNG or CSV file")),
            "truncated": (cut_object, Refused(SourceError, "put the object there again")),
            "wrong type": (in_bucket(replaced(IMAGE, b"text")), SetAside("image", "neither a JPEG nor a PNG")),
            "wrong encoding": (
                in_bucket(reencoded("Metadata.csv", "latin-1", "anterior torso", "Schädel")),
                Refused(TableError, "Metadata.csv: line 2 is not UTF-8"),
            ),
            "too large": (in_bucket(replaced(IMAGE, bomb())), SetAside("image", "60000 x 60000 pixels")),
            "contradictory": (altered_on_the_way, SetAside("image", "its bytes are not those of its ETag")),
            "hostile": (hostile_key, Told("images with neither a diagnosis in a table nor a mask: 1")),
            "unreadable": (refused_key, Refused(SourceError, "may not be read; give credentials that may")),
            "changing while read": (replaced_object, Refused(SourceError, "changed while it was read")),
        },
    )  # fmt: skip


def tracked(change: Arrange = lambda scene: None) -> Arrange:
    """The folder, damaged, lies in a DVC repository, in its cache alone."""

    def arrange(scene: Scene) -> None:
        change(scene)
        repository = scene.work / "repository"
        shutil.copytree(scene.folder.root, repository / "clinic")
        _git(repository, "init", "-q", "-b", "main")
        for command in (("init", "-q"), ("add", "-q", "clinic")):
            _dvc(repository, *command)
        _git(repository, "add", "-A")
        _git(repository, "commit", "-q", "-m", "data")
        shutil.rmtree(repository / "clinic")
        scene.sources = [f"dvc:{repository}@main:clinic"]

    return arrange


def _git(folder: Path, *arguments: str) -> None:
    author = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", *author, *arguments], cwd=folder, check=True, capture_output=True)


def _dvc(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "dvc", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=user_environment(folder))


def cached(change: Callable[[Path], object]) -> Arrange:
    """The victim's file in DVC's cache is changed, though its name says what it holds."""

    def arrange(scene: Scene) -> None:
        tracked()(scene)
        wanted = sha256_bytes((scene.folder.root / IMAGE).read_bytes())
        cache = (scene.work / "repository/.dvc/cache").rglob("*")
        file = next(path for path in cache if path.is_file() and sha256_bytes(path.read_bytes()) == wanted)
        file.chmod(0o644)
        change(file)

    return arrange


def asking_for(spelling: str) -> Arrange:
    """Another spelling of the source, `{}` is the repository."""

    def arrange(scene: Scene) -> None:
        tracked()(scene)
        scene.sources = [spelling.format(scene.work / "repository")]

    return arrange


def no_repository(scene: Scene) -> None:
    (scene.work / "plain").mkdir()
    scene.sources = [f"dvc:{scene.work / 'plain'}@main:clinic"]


def moved_branch(scene: Scene) -> None:
    """The branch moves on while its old commit is read: what the source named at the start is what is read."""
    tracked()(scene)
    repository = scene.work / "repository"
    scene.during = lambda: (_git(repository, "rm", "-q", "-r", "."), _git(repository, "commit", "-q", "-m", "gone"))


def dvc() -> Iterator[Cell]:
    """A folder in a DVC repository."""
    return cells_of(
        "DVC",
        {
            "absent": (asking_for("dvc:{}@main:elsewhere"), Refused(SourceError, "there is no folder 'elsewhere'")),
            "empty": (
                tracked(lambda scene: emptied(scene.folder)), Refused(SourceError, "there is no JPEG, PNG or CSV file"),
            ),
            "truncated": (
                cached(lambda path: path.write_bytes(path.read_bytes()[:500])), SetAside("image", "not those that DVC tracks"),
            ),
            "wrong type": (no_repository, Refused(SourceError, "DVC cannot give it")),
            "wrong encoding": (
                tracked(reencoded("Metadata.csv", "latin-1", "anterior torso", "Schädel")),
                Refused(TableError, "Metadata.csv: line 2 is not UTF-8"),
            ),
            "too large": (tracked(replaced(IMAGE, bomb())), SetAside("image", "60000 x 60000 pixels")),
            "contradictory": (cached(lambda path: path.write_bytes(b"another")), SetAside("image", "not those that DVC tracks")),
            "hostile": (asking_for("dvc:{}@main:../../etc"), Refused(SourceError, "there is no folder '../../etc'")),
            "unreadable": (cached(lambda path: path.unlink()), Refused(SourceError, "DVC cannot give it")),
            "changing while read": (moved_branch, Taken()),
        },
    )  # fmt: skip


def emptied(folder: IsicFolder) -> None:
    """Nothing is left but a text."""
    for path in [path for path in folder.root.rglob("*") if path.is_file()]:
        path.unlink()
    folder.raw("README.txt", b"to come")
