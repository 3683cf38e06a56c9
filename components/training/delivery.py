"""From trained members to a whole bundle: curves, the network that answers with their mean, what the images that judge choose,
out-of-fold predictions, card."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd

from components.appearance import appearance_of
from components.augment_balance.reader import read_rows
from components.bundle import MODEL, WEIGHTS, Bundle, Description, read_description, read_parent, write_bundle
from components.calibration import calibrate, fit_temperature
from components.conformal import fit_conformal
from components.evenly import evenly
from components.files import atomic_write
from components.lesions import CODES, Task
from components.out_of_fold import write_out_of_fold
from components.params import TrainClassifierParams, TrainUnetParams
from components.predictions import predict_rows, probabilities_of
from components.refusal import REFUSED, Refusal, Seen, fit_refusal
from components.reporter import Reporter
from components.training.card import write_card
from components.training.curves import draw_curves, prefix_of, read_epochs
from components.training.ensemble import average
from components.training.feed import seen_size
from components.training.folds import Member, select_rows
from components.training.int8 import calibration_images, in_integers
from components.training.judge import Judge
from components.training.libraries import library_versions
from components.training.members import FOLDER, OUTPUTS, Learning, Trained
from components.training.quantisation import quantise
from components.training.threshold import Floats, choose_mask_threshold

# Images that a network learned from which tell what is usual: enough for the directions that are kept.
_LEARNED = 1_000

AnyLearning = Learning[TrainClassifierParams] | Learning[TrainUnetParams]


def deliver(learning: AnyLearning, trained: Sequence[Trained], out: Path, reporter: Reporter) -> None:
    """Write the bundle of a model whose members are trained, and the curves of their training, into the folder `out`.

    Killed anywhere and called again it writes the same.

    Args:
        learning: what the members learned from, and how.
        trained: all of them.
        out: the folder; holds the training's metrics.jsonl, and the members.
        reporter: gets the figures.
    """
    for place, one in enumerate(trained):
        _draw(learning, one.member, prefix_of(place), len(trained), out, reporter)
    judges = [_judge(learning, list(part), out) for _, part in groupby(trained, key=lambda one: one.member.fold)]
    draft = _describe(learning, trained, out)
    description = draft.model_copy(update={"mask_threshold": _mask_threshold(learning, judges, draft)})
    model = _mean(learning, trained)
    loss = learning.params.int8_loss
    kept = None if loss is None else in_integers(learning.dataset, judges, description, loss, out / FOLDER, reporter)
    if kept is not None:
        # All that follows is chosen by what the network says as it is kept.
        judges, int8 = kept
        model = quantise(model, calibration_images(learning.dataset, judges[0].learned, draft.input_size))
        update = {"mask_threshold": _mask_threshold(learning, judges, draft), "int8": int8}
        description = draft = draft.model_copy(update=update)
    if learning.params.folds > 1 or learning.task is Task.CLASSIFICATION:
        answers = [_answers(learning, judge, description, out, reporter) for judge in judges]
        table = pd.concat(answers).sort_values("image_id", ignore_index=True)
        description = description.model_copy(update=_calibration(learning, table) | _out_of_fold(learning, table, out))
    refusal = _refusal(learning, judges[0], draft)
    if refusal is not None:
        description = description.model_copy(update={"refuses": REFUSED})
    write_bundle(
        out,
        description,
        model=model,
        weights=[one.folder / WEIGHTS for one in trained],
        card=write_card(description, learning.dataset),
        segmenter=_segmenter(learning),
        refusal=refusal,
    )
    reporter.progress(1, 1, "bundle")  # training may have stopped before its last epoch


def _describe(learning: AnyLearning, trained: Sequence[Trained], out: Path) -> Description:
    """What the bundle is, but for what is known later: what the images that judge choose, and the digest of their predictions."""
    (name,) = learning.params.models
    folder = _segmenter(learning)
    segmenter = None if folder is None else read_description(folder)
    return Description(
        name=name,
        task=learning.task,
        architecture=name,
        input_size=seen_size(learning.dataset, learning.task, learning.params),
        classes=CODES if learning.task is Task.CLASSIFICATION else (),
        preprocess=learning.dataset.preprocessing,
        mask_threshold=None,
        test_flips=learning.params.test_flips,
        members=tuple(one.member.name for one in trained) if len(trained) > 1 else (),
        parameters_total=sum(one.parameters.total for one in trained),
        parameters_trainable=sum(one.parameters.trainable for one in trained),
        data_version=learning.dataset.version,
        phantom=learning.dataset.phantom,
        training=learning.params.identity().model_dump(mode="json"),
        parent=read_parent(out),
        segmenter_files=() if segmenter is None else segmenter.files,
        segmenter_saw_drawn=segmenter is not None and segmenter.saw_drawn,
        libraries=library_versions(),
    )


def _segmenter(learning: AnyLearning) -> Path | None:
    """The bundle of the segmenter that what it learned from was cropped by."""
    return learning.dataset.segmenter if learning.task is Task.CLASSIFICATION else None


def _mean(learning: AnyLearning, trained: Sequence[Trained]) -> bytes:
    return average([(one.folder / MODEL).read_bytes() for one in trained], OUTPUTS[learning.task])


def _judge(learning: AnyLearning, trained: Sequence[Trained], out: Path) -> Judge:
    """What the members of one fold make of the rows that judge them."""
    member, folder = trained[0].member, trained[0].folder
    if len(trained) > 1:
        folder = out / FOLDER / f"mean-{folder.name}"
        with atomic_write(folder / MODEL) as handle:
            handle.write(_mean(learning, trained))
    rows = select_rows(learning.dataset, learning.task, learning.params, member)
    return Judge(member.fold, folder, rows.learned, rows.judged)


def _answers(learning: AnyLearning, judge: Judge, description: Description, out: Path, reporter: Reporter) -> pd.DataFrame:
    """What a judge says of its rows, as out_of_fold.parquet has it; what a killed attempt left is kept."""
    where = "val" if judge.fold is None else f"fold {judge.fold}"
    path = out / FOLDER / f"answers-{where.replace(' ', '-')}.parquet"
    if not path.exists():
        done = 0

        def tell(images: int) -> None:
            nonlocal done
            done += images
            reporter.progress(done, len(judge.rows) + 1, f"predictions, {where}")

        known = ["image_id", "group_id", "fold", *(["label"] if learning.task is Task.CLASSIFICATION else [])]
        table = judge.rows[known].join(predict_rows(judge.bundle(description), learning.dataset, judge.rows, tell))
        with atomic_write(path) as handle:
            table.to_parquet(handle)
    return pd.read_parquet(path)


def _out_of_fold(learning: AnyLearning, table: pd.DataFrame, out: Path) -> dict[str, str]:
    return {"out_of_fold": write_out_of_fold(out, learning.task, table)} if learning.params.folds > 1 else {}


def _calibration(learning: AnyLearning, table: pd.DataFrame) -> dict[str, object]:
    """Temperature and conformal sets of a classifier, from what it says of images that it did not learn from."""
    if learning.task is Task.SEGMENTATION:
        return {}
    truth, said = table["label"].map(CODES.index).to_numpy(np.intp), probabilities_of(table)
    temperature = fit_temperature(truth, said)
    sets = fit_conformal(truth, calibrate(said, temperature), table["group_id"].to_numpy())
    return {"temperature": temperature, "conformal": sets}


def _refusal(learning: AnyLearning, judge: Judge, draft: Description) -> Refusal | None:
    """What tells strange images of a classifier, by the features of its first member, which are those that it gives: fitted on the
    images that judge that member, which alone tell from where on an image is strange, and on some that it learned from."""
    if learning.task is Task.SEGMENTATION:
        return None
    bundle = judge.bundle(draft)
    places = evenly(len(judge.learned), _LEARNED)
    judged, learned = (_seen(learning, bundle, rows) for rows in (judge.rows, judge.learned.iloc[places]))
    return fit_refusal(judged, learned)


def _seen(learning: AnyLearning, bundle: Bundle, rows: pd.DataFrame) -> Seen:
    features, appearance, size = [], [], learning.params.batch_size
    for start in range(0, len(rows), size):
        images = learning.dataset.images(rows.iloc[start : start + size])
        features.append(bundle.features_of(images))
        appearance.append(appearance_of(images))
    return Seen(np.concatenate(features), np.concatenate(appearance), rows["group_id"].to_numpy())


def _mask_threshold(learning: AnyLearning, judges: Sequence[Judge], draft: Description) -> float | None:
    params = learning.params
    if isinstance(params, TrainClassifierParams):
        return None
    if params.mask_threshold is not None:
        return params.mask_threshold
    return choose_mask_threshold(pair for judge in judges for pair in _masks(learning, judge, draft))


def _masks(learning: AnyLearning, judge: Judge, draft: Description) -> Iterator[tuple[Floats, Floats]]:
    """True masks of a judge's rows and what it predicts for them, both N x H x W x 1, batch by batch."""
    bundle, size = judge.bundle(draft), learning.params.batch_size
    for start in range(0, len(judge.rows), size):
        rows = judge.rows.iloc[start : start + size]
        (batch,) = read_rows(learning.dataset, learning.task, rows, draft.input_size, size)
        yield batch.targets, bundle.predict_pixels(learning.dataset.images(rows))[..., None]


def _draw(learning: AnyLearning, member: Member, prefix: str, members: int, out: Path, reporter: Reporter) -> None:
    (name,) = learning.params.models
    title = name if members == 1 and member.fold is None else f"{name}, {member.name}"
    rows = select_rows(learning.dataset, learning.task, learning.params, member)
    images = f"{len(rows.learned):,} images in train, {len(rows.judged):,} in val"
    if member.fold is not None:
        images = f"{len(rows.learned):,} images learned from, {len(rows.judged):,} in fold {member.fold}, which judges"
    drawn = "; drawn images (phantom), these figures say nothing about skin" if learning.dataset.phantom else ""
    reporter.figure(f"{prefix}curves", draw_curves(title, read_epochs(out / "metrics.jsonl", prefix), images + drawn))
