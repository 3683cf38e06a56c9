"""`dermacare step`: one step over folders, through the store."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from components.errors import ParamsError, StoreError
from components.params import IngestParams, Params, TrainClassifierParams, TrainUnetParams, for_model
from components.store import Store, copy_tree, made_by
from dermacare.console import console
from pipelines.execute import StepCall, run_step
from pipelines.home import Home
from pipelines.plan import check_models, source_fingerprint

# Argument of each step's function → whether it takes one folder or several.
INPUTS: dict[str, dict[str, type]] = {
    "ingest": {},
    "validate": {"raw": Path},
    "preprocess": {"dataset": Path},
    "augment_balance": {"dataset": Path},
    "train_unet": {"dataset": Path, "plan": Path},
    "train_classifier": {"dataset": Path, "plan": Path},
    "evaluate": {"dataset": Path, "models": list},
    "register": {"dataset": Path, "models": list, "evaluation": Path},
}


def run_one_step(name: str, params: Params, assignments: Sequence[str], out: Path) -> None:
    """Do one step and put its output under `out`.

    Raises:
        ParamsError: the step, the model or an input is unknown or missing.
        StoreError: an input is no step's output.
    """
    step, _, model = name.partition("/")
    if step not in INPUTS:
        raise ParamsError(f"{name}: is no step; there are {', '.join(INPUTS)}")
    check_models(params)
    home = Home.here()
    section = params.section(step)
    if isinstance(section, (TrainUnetParams, TrainClassifierParams)):
        if model not in section.models:
            raise ParamsError(f"{name}: name a model that {step}.models lists: {', '.join(f'{step}/{m}' for m in section.models)}")
        section = for_model(section, model)
    salt = source_fingerprint(section, home.root) if isinstance(section, IngestParams) else ""
    inputs = _inputs(step, assignments, [*params.train_unet.models, *params.train_classifier.models], Store(home.root))
    with _to_take_over(out, Store(home.root)):
        finished = run_step(StepCall(name, section, inputs, salt=salt), home)
    copy_tree(finished.out, out)
    console.print(f"{name}: {finished.outcome} in {finished.seconds:.1f} s, {out}")


@contextmanager
def _to_take_over(out: Path, store: Store) -> Iterator[None]:
    """Let a step take parts over from what lies at `--out`, as `dvc pull` brought it, while the block runs.

    The store lists it as an earlier output, never as the work of its own key: a checkout that was killed half-way left half of it.
    """
    if not (out / "step.json").exists():
        yield
        return
    step, key, code, made_from = made_by(out)
    if step.partition("/")[0] not in INPUTS or not key.isalnum() or store.has(step, key):
        yield
        return
    borrowed = f"{key}-out"
    store.execute(step, borrowed, lambda work: copy_tree(out, work), code=code, made_from=made_from)
    try:
        yield
    finally:
        store.delete(step, borrowed)


def _inputs(step: str, assignments: Sequence[str], models: Sequence[str], store: Store) -> dict[str, Path | Sequence[Path]]:
    """The store's folders by argument; `models=FOLDER` stands for the folders of the models to train that lie in it."""
    wanted = INPUTS[step]
    given: dict[str, Path | Sequence[Path]] = {}
    for assignment in assignments:
        argument, equals, folder = assignment.partition("=")
        if not equals or argument not in wanted:
            raise ParamsError(
                f"--input: {assignment!r} does not fit; {step} takes {', '.join(f'{w}=FOLDER' for w in wanted) or 'none'}"
            )
        if wanted[argument] is list:
            given[argument] = [_stored(Path(folder) / model, store) for model in models]
        else:
            given[argument] = _stored(Path(folder), store)
    missing = [argument for argument in wanted if argument not in given]
    if missing:
        raise ParamsError(f"--input: {step} needs {missing[0]}; add --input {missing[0]}=FOLDER")
    return given


def _stored(folder: Path, store: Store) -> Path:
    """The store's own output of the step that made a folder; what the store lacks (`dvc pull` brought it) is copied there."""
    step, key, code, made_from = made_by(folder)
    if step.partition("/")[0] not in INPUTS or not key.isalnum():
        raise StoreError(f"{folder}/step.json: {step} {key} is no work of a step of ours; make the folder again")
    return store.execute(step, key, lambda work: copy_tree(folder, work), code=code, made_from=made_from).out
