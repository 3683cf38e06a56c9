"""What of a run goes to MLflow, by what its outputs say of themselves."""

from components.store import Origin
from pipelines.publish import _keys
from pipelines.runs import RunRecord


def test_what_outputs_are_made_from_goes_before_the_plan_and_the_data_that_judges_before_what_models_learned_from() -> None:
    step = {"params": {}, "inputs": {}, "code": ""}
    plan = [{"name": name, "key": "planned", **step} for name in ("ingest", "validate", "evaluate")]
    model = Origin("train_classifier/tiny_cnn", "t", "", {"ingest": "i1", "preprocess": "p1", "augment_balance": "a1"})
    dataset = Origin("preprocess", "p2", "", {"ingest": "i2"})
    assert _keys(RunRecord("id", "", "", {}, plan), [model, dataset]) == {
        "ingest": "i2",
        "validate": "planned",
        "evaluate": "planned",
        "preprocess": "p2",
        "augment_balance": "a1",
        "train_classifier/tiny_cnn": "t",
    }
