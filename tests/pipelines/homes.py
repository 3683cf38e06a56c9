"""A home with runs for tests: drawn data, bundles of a few numbers, judged and registered, without training or a runner."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from components.dataset import Dataset
from components.evaluate import evaluate
from components.params import EvaluateParams, RegisterParams, load_params
from components.register import register
from components.register.context import DataContext, RunContext
from components.reporter import Reporter
from components.store import Store
from components.tracking import Ledger
from pipelines import runs
from pipelines.home import Home
from pipelines.plan import Plan, PlannedStep
from pipelines.runs import RunRecord, RunState

Make = Callable[..., Path]
"""Writes a bundle into a folder; takes `data_version`."""


@dataclass
class RunsOfHome:
    """Makes runs in a home, one after the other."""

    home: Home
    ledger: Ledger
    made: int = field(default=0)

    def data(self, key: str, make: Callable[[Path], Path]) -> Dataset:
        """Preprocessed data in the store."""
        return Dataset(Store(self.home.root).execute("preprocess", key, lambda work: _nothing(make(work))).out)

    def run(self, data: str, models: Mapping[str, Make], *assignments: str) -> str:
        """A run that was done: models by their steps (`train_classifier/tiny_cnn`) on data of this key. Returns its id."""
        self.made += 1
        run_id = f"20261124-1200{self.made:02d}-a1b2"
        store = Store(self.home.root)
        dataset = store.out("preprocess", data)
        version = Dataset(dataset).version

        def train(step: str, make: Make) -> Path:
            key = f"{run_id}-{step.replace('/', '-')}"
            return store.execute(step, key, lambda work: _nothing(make(work, data_version=version))).out

        bundles = {step: train(step, make) for step, make in models.items()}

        def judge(work: Path) -> None:
            evaluate(dataset, list(bundles.values()), work, EvaluateParams(overlays=0), Reporter(work, "evaluate"))

        evaluation = store.execute("evaluate", run_id, judge).out

        def publish(work: Path) -> None:
            params = RegisterParams(metric="macro_f1", policy="trial", experiment="dermacare")
            inputs = dataset, list(bundles.values()), evaluation, work, params, Reporter(work, "register")
            context = RunContext(run_id=run_id, commit="c" * 40)
            register(*inputs, self.ledger, self.home.releases(), context, DataContext(learned=lambda _: 0))

        store.execute("register", run_id, publish)
        trained = {step: out.parent.name for step, out in bundles.items()}
        keys = {"preprocess": data, **trained, "evaluate": run_id, "register": run_id}
        plan = Plan(tuple(PlannedStep(name, key, {}, {}, f"code of {name}") for name, key in keys.items()))
        params = load_params(assignments=list(assignments)).params.model_dump(mode="json", by_alias=True)
        runs.save(self.home, RunRecord(run_id, "dermacare run", "", params, plan.as_json(), state=RunState.DONE, ended=1.0))
        return run_id


def _nothing(result: object) -> None:
    """What a step's work gives back."""
