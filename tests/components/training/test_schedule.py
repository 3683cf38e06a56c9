"""The schedule against Keras's own callbacks."""

import math
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.training.schedule import EarlyStopping, ReduceLROnPlateau

# Steps of 6e-5: one is less than the gain that counts for the rate, two are more; exact in the float32 in which Keras compares.
LOSSES = st.lists(st.integers(1638, 1654).map(lambda steps: steps / 16384), min_size=1, max_size=25)


def test_the_rate_halves_after_three_epochs_without_gain() -> None:
    state = ReduceLROnPlateau(rate=0.08, factor=0.5, patience=3)
    rates = []
    for loss in (1.0, 1.0, 1.0, 1.0, 0.9, 0.95, 0.95, 0.95):
        state = state.observe(loss)
        rates.append(state.rate)
    assert rates == [0.08, 0.08, 0.08, 0.04, 0.04, 0.04, 0.04, 0.02]


def test_training_stops_after_as_many_epochs_without_gain_as_patience_says() -> None:
    state = EarlyStopping(patience=2)
    stopped = []
    for loss in (1.0, 1.1, 0.9, 0.95, 0.9):
        state = state.observe(loss)
        stopped.append(state.stopped)
    assert stopped == [False, False, False, False, True]
    assert state.best == 0.9


def test_the_newest_epoch_is_the_best_where_nothing_was_waited() -> None:
    state = EarlyStopping(patience=2).observe(1.0)
    assert state.waited == 0
    assert state.observe(1.0).waited == 1


@pytest.fixture(scope="module")
def callbacks() -> SimpleNamespace:
    from components.training.backend import keras

    return SimpleNamespace(Reduce=keras.callbacks.ReduceLROnPlateau, Stop=keras.callbacks.EarlyStopping, Sgd=keras.optimizers.SGD)


@settings(max_examples=100, deadline=None)
@given(losses=LOSSES, patience=st.integers(1, 4))
def test_rates_are_those_of_keras(callbacks: SimpleNamespace, losses: list[float], patience: int) -> None:
    theirs = callbacks.Reduce(factor=0.5, patience=patience)
    theirs.set_model(SimpleNamespace(optimizer=callbacks.Sgd(0.125)))
    theirs.on_train_begin()
    ours = ReduceLROnPlateau(rate=0.125, factor=0.5, patience=patience)
    for epoch, loss in enumerate(losses):
        theirs.on_epoch_end(epoch, {"val_loss": loss})
        ours = ours.observe(loss)
        assert ours.rate == float(theirs.model.optimizer.learning_rate)


@settings(max_examples=100, deadline=None)
@given(losses=LOSSES, patience=st.integers(1, 4))
def test_training_stops_when_keras_stops(callbacks: SimpleNamespace, losses: list[float], patience: int) -> None:
    theirs = callbacks.Stop(patience=patience)
    theirs.set_model(SimpleNamespace(stop_training=False))
    theirs.on_train_begin()
    ours = EarlyStopping(patience=patience)
    for epoch, loss in enumerate(losses):
        theirs.on_epoch_end(epoch, {"val_loss": loss})
        ours = ours.observe(loss)
        assert ours.stopped == theirs.model.stop_training
        if ours.stopped:
            break


def test_a_loss_that_is_no_number_is_no_gain() -> None:
    assert EarlyStopping(patience=1).observe(math.nan).stopped
