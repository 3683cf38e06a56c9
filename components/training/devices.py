"""What a step runs on: the processor, one GPU, or several GPUs, each with its part of every batch.

Several GPUs hold the same weights (`tf.distribute.MirroredStrategy`). Losses are divided by the size of the whole batch, gradients
are summed before they are clipped, and batch norm takes its moments over all parts (batch_norm.py), so that a step is the one that
a single device would have taken, but for the order of sums: after three epochs of tiny networks, losses agree within 1e-4 and
weights within 3e-3 of their size. What differs: each GPU draws the dropout of its own part, from the same seed.

Nothing is compiled with XLA. On a processor that takes minutes and then runs slower; for a GPU it has no max pooling that learns
the same way twice, and it mixes up the precisions of a bilinear resize (TensorFlow 2.21: no network with one of them took a step on
an H100). Memory of a GPU is taken as it is needed (backend.py).
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from components.errors import MachineError
from components.nvidia import NEEDED, UNUSED, gpus
from components.processor import has_amx
from components.reporter import Reporter
from components.training.backend import keras, ops

import tensorflow as tf  # isort: skip  # after Keras, whose import sets how TensorFlow runs


# NVIDIA's Ampere, the first that multiplies bfloat16 in its tensor cores.
_BFLOAT16 = (8, 0)


def start_afresh(seed: int) -> None:
    """Seed every draw and forget earlier models, so that weights and names of layers follow from the seed alone."""
    keras.utils.clear_session()  # which forgets the devices, too
    keras.config.set_dtype_policy("float32")
    use_all_gpus()
    keras.utils.set_random_seed(seed)


def use_all_gpus() -> None:
    """Where there are several GPUs, let what is built from here on live on all of them."""
    if len(tf.config.list_physical_devices("GPU")) > 1 and not tf.distribute.has_strategy():
        mirror(None)


def mirror(names: Sequence[str] | None) -> None:
    """Let what is built from here on live on these devices, such as `GPU:0`; None: on all GPUs. Until `start_afresh`."""
    # NCCL, TensorFlow's choice, may start batch norm's sums in another order on each GPU, which then wait for each other for ever.
    sums = tf.distribute.ReductionToOneDevice()
    tf.distribute.experimental_set_strategy(tf.distribute.MirroredStrategy(names, cross_device_ops=sums))


def precision_here(precision: str, gains_on_amx: bool) -> str:
    """What the layers of a network compute in on this machine, `float32` or `bfloat16`.

    Args:
        precision: `float32`, `bfloat16`, or `auto`: bfloat16 where every GPU is of compute capability 8.0 or more and, without a
            GPU, on a processor with AMX for a network that gains by it.
        gains_on_amx: whether such a processor trains the network sooner in bfloat16. oneDNN (3.7) does convolutions over all
            channels some 2.5 times as fast there, and gradients of depthwise ones three to four times as slowly.
    """
    if precision != "auto":
        return precision
    gpus = [detail.get("compute_capability", (0, 0)) >= _BFLOAT16 for detail in _details()]
    return "bfloat16" if (all(gpus) if gpus else gains_on_amx and has_amx()) else "float32"


def set_precision(precision: str) -> None:
    """Let layers that are built from here on compute in float32, or in bfloat16; until `start_afresh`.

    Weights, batch norm's moments and a network's last layer stay float32. bfloat16 reaches as far as float32, so that no loss need
    be scaled (Kalamkar 2019).

    Args:
        precision: `float32` or `bfloat16`.
    """
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else precision)


def tell_devices(precision: str, reporter: Reporter) -> None:
    """Say what trains, and in what it computes: whoever has a GPU should know before hours have gone by that it is not used.

    Args:
        precision: `float32` or `bfloat16`.
        reporter: is told.

    Raises:
        MachineError: a GPU was asked for (a pod with an accelerator), and TensorFlow finds none.
    """
    found = Counter(str(detail.get("device_name", "GPU")) for detail in _details())
    if not found and os.environ.get(NEEDED) == "needed":
        raise MachineError(
            "this step asked for a GPU, and TensorFlow finds none; look at the node's driver and its device plugin, or leave "
            "cluster.steps' accelerator out"
        )
    devices = ", ".join(f"{count} x {name}" for name, count in found.items()) or "the processor"
    reporter.message(f"it trains on {devices}, in {precision}")
    if not found and gpus():
        reporter.message(f"{', '.join(gpus())} is here, and TensorFlow does not use it; {UNUSED}")


@contextmanager
def enough_memory() -> Iterator[None]:
    """In here a device without memory for a batch is one sentence."""
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        what = error.message.splitlines()[0]
        raise MachineError(
            f"the device has too little memory for a batch ({what}); set batch_size or input_size smaller, or end what else uses it"
        ) from error


def _details() -> list[dict[str, Any]]:
    return [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]


def replicas() -> int:
    """Devices that a batch is split over."""
    return int(tf.distribute.get_strategy().num_replicas_in_sync)


def on_each(step: Callable[..., tuple[Any, ...]], *tensors: Any) -> tuple[Any, ...]:
    """Run a step on every device, each with its part of a batch; of a batch of fewer images than devices each has the whole.

    Args:
        step: what it returns must be the same on all devices: sums over the batch (scalars), or tensors with a row for each image.
        tensors: of a batch, with one first axis.
    """
    if replicas() == 1:
        return step(*tensors)
    size, count = ops.shape(tensors[0])[0], replicas()

    def part_of_step() -> tuple[Any, ...]:
        place = tf.distribute.get_replica_context().replica_id_in_sync_group
        # Never none: oneDNN gives a convolution of no images the wrong shape.
        first, last = (tf.where(size < count, whole, size * end // count) for whole, end in ((0, place), (size, place + 1)))
        return step(*(tensor[first:last] for tensor in tensors))

    strategy = tf.distribute.get_strategy()
    answers = [strategy.experimental_local_results(answer)[0] for answer in strategy.run(part_of_step)]
    copies = tf.where(size < count, float(count), 1.0)
    return tuple(answer[:size] if answer.shape.rank else answer / copies for answer in answers)


def mean_over_all(losses: Any) -> Any:
    """In a step: this device's share of the mean loss of the whole batch; the shares add up to it."""
    if replicas() == 1:
        return ops.mean(losses)
    return ops.sum(losses) / ops.cast(sum_over_all(ops.shape(losses)[0]), "float32")


def sum_over_all(values: Any) -> Any:
    """In a step: a tensor, or each of a list, summed over all devices."""
    if replicas() == 1:
        return values
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)


def join_all(part: Any) -> Any:
    """In a step: the parts of all devices, one after the other along the first axis."""
    if replicas() == 1:
        return part
    return tf.distribute.get_replica_context().all_gather(part, axis=0)
