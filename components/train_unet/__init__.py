"""Step 5a: train a segmenter."""

from pathlib import Path

from components.params import TrainUnetParams
from components.reporter import Reporter

__all__ = ["train_unet"]


def train_unet(dataset: Path, plan: Path, out: Path, params: TrainUnetParams, reporter: Reporter) -> None:
    """Train one architecture and write its model bundle, with `metrics.jsonl` and `figures/` (curves, worst images), into `out`.

    The same seed gives the same weights, to the bit, also where training was killed and goes on from what it left in `out`: it
    leaves a checkpoint after every epoch. With `folds` or `seeds` above 1 several members are trained, and the bundle answers with
    their mean; with folds their answers to what they did not learn from lie beside it (`components.out_of_fold`).

    Args:
        dataset: a preprocessed dataset folder.
        plan: the folder with `augment_balance`'s plan for it.
        out: the folder to write; where `params.weights` names a bundle, it lies in `parent/` there.
        params: how to train; `models` holds one name (`components.params.for_model`).
        reporter: is told of every step and epoch.

    Raises:
        ParamsError: the architecture is not known, or cannot see images of this size.
        BundleError: the bundle to start from is not whole.
        WeightsError: the weights to start from cannot be had, or do not fit.
        DatasetError: dataset or plan break their contracts, do not belong together, or hold nothing that judges a member.
        TrainingDiverged: the loss is no number any more.
    """
    # TensorFlow takes seconds to import, and `registry` must answer without it.
    from components.train_unet.step import train

    train(dataset, plan, out, params, reporter)
