"""What a version of the data brings that the version behind production had not: its batch. Pure functions of two manifests."""

from dataclasses import dataclass

import pandas as pd

from components.lesions import Task
from components.provenance.splits import told

_FACTS = ["image_id", "sha256", "label", "group_id", "split", "source", "shard", "row"]


@dataclass(frozen=True)
class Batch:
    """One row an image: image_id, sha256, label (None: no diagnosis), group_id, split, source, shard, row.

    Attributes:
        kept: images that both versions have, file for file; labels are those of before, places those of now.
        new: images, and files of known images, that only the later version has.
        relabelled: images of `kept` whose diagnosis is another now; the label is the new one.
        gone: images that only the earlier version has; empty where only digests of it are known. Their places mean nothing.
        labels_known: whether the earlier labels are known; where not, none counts as changed.
    """

    kept: pd.DataFrame
    new: pd.DataFrame
    relabelled: pd.DataFrame
    gone: pd.DataFrame
    labels_known: bool = True

    @property
    def changed(self) -> pd.DataFrame:
        """The images whose labels are new: those of `new`, and `relabelled`."""
        return pd.concat([self.new, self.relabelled], ignore_index=True)


def find_batch(before: pd.DataFrame, after: pd.DataFrame) -> Batch:
    """Compare two manifests, columns of `components.dataset.COLUMNS`."""
    old, now = (images_of(manifest) for manifest in (before, after))
    both = now.merge(old[["image_id", "sha256", "label", "split"]], on=["image_id", "sha256"], how="left", suffixes=("", "_before"))
    there = pd.Series(list(zip(now["image_id"], now["sha256"], strict=True))).isin(
        set(zip(old["image_id"], old["sha256"], strict=True))
    )
    kept = both[there.to_numpy()]
    # A label that came, went or changed says something new of an old image.
    differs = (kept["label"].fillna("") != kept["label_before"].fillna("")) & kept["label"].notna()
    gone = old[~old["image_id"].isin(set(now["image_id"]))]
    return Batch(
        kept=kept.assign(label=kept["label_before"], split=kept["split_before"])[_FACTS].reset_index(drop=True),
        new=now[~there.to_numpy()].reset_index(drop=True),
        relabelled=kept[differs][_FACTS].reset_index(drop=True),
        gone=gone.reset_index(drop=True),
    )


def find_batch_by_digests(before: pd.DataFrame, after: pd.DataFrame) -> Batch:
    """As `find_batch` where of the earlier version no more is known than its splits, as `components.provenance.splits.told`."""
    now = images_of(after)
    known = told(after.drop_duplicates("image_id", keep="first"))
    digests = set(zip(before["image_id"], before["sha256"], strict=True))
    ids = dict(zip(after.drop_duplicates("image_id")["image_id"], known["image_id"], strict=True))
    there = [(ids[image], sha256) in digests for image, sha256 in zip(now["image_id"], now["sha256"], strict=True)]
    kept = now[there].reset_index(drop=True)
    return Batch(kept, now[[not one for one in there]].reset_index(drop=True), kept.iloc[:0], now.iloc[:0], labels_known=False)


def images_of(manifest: pd.DataFrame) -> pd.DataFrame:
    """One row for each image of a manifest, in the order of their ids: that of its diagnosis where it has one."""
    ordered = manifest.assign(second=manifest["task"] != Task.CLASSIFICATION.value)
    ordered = ordered.sort_values(["image_id", "second"], kind="stable").drop_duplicates("image_id")
    labels = ordered["label"].where(ordered["task"] == Task.CLASSIFICATION.value, None)
    return ordered.assign(label=labels)[_FACTS].reset_index(drop=True)
