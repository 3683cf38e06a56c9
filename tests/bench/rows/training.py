"""Training, against Keras's `fit` fed by tf.data: same network, data, loss and batch."""

from collections.abc import Iterator

from tests.bench.fine_tune import fine_tune
from tests.bench.frozen import train_frozen
from tests.bench.roof import roof
from tests.bench.row import Row

_CLASSIFIER, _SEGMENTER = (64, 64), (256, 256)


def measure() -> Iterator[Row]:
    """Images/s once it runs, and seconds until the first step is done; each side in a process of its own, one after the other."""
    for name, size, batch in (("resnet50", _CLASSIFIER, 32), ("resnet101", _CLASSIFIER, 32), ("unet_plain", _SEGMENTER, 16)):
        sides = ("OURS", "OURS_IN_FLOAT32", "KERAS", "KERAS_WITHOUT_XLA")
        ours, exact, theirs, without = (fine_tune(side, name, size, batch) for side in sides)
        what = f"fine-tune {name} {size[0]}x{size[1]}"
        yield Row.of_rates(f"{what}, steady state", "images/s", ours=ours.rate, theirs=theirs.rate)
        yield Row.of_costs(f"{what}, first step", "s", ours=ours.first, theirs=theirs.first)
        yield Row.of_rates(f"{what}, steady state, both in float32", "images/s", ours=exact.rate, theirs=theirs.rate)
        # What a user has who knows that XLA does not pay on a CPU.
        yield Row.of_rates(f"{what}, steady state, against fit without XLA", "images/s", ours=ours.rate, theirs=without.rate)
        yield Row.of_costs(f"{what}, first step, against fit without XLA", "s", ours=ours.first, theirs=without.first)
    ours, theirs = (train_frozen(side) for side in ("OURS", "KERAS"))
    what = "phase 1, 12 epochs of a head on frozen efficientnet_lite0 96x96"
    yield Row.of_costs(
        f"{what}, against fit that sends images through in every epoch", "s", ours=ours.seconds, theirs=theirs.seconds
    )
    yield Row.of_rates(f"{what}, accuracy on val", "share", ours=ours.accuracy, theirs=theirs.accuracy)
    pace, limit = fine_tune("OURS_IN_FLOAT32", "resnet50", _CLASSIFIER, 32), roof("resnet50", _CLASSIFIER)
    what = "resnet50 64x64 training step, against a large float32 convolution alone"
    yield Row.of_rates(what, "FLOP/s", ours=pace.rate * limit.image, theirs=limit.rate)
