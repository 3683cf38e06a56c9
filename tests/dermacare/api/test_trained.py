"""The whole way with real networks: JPEGs, preprocessed at a reduced scale, trained on, judged, registered, served."""

from pathlib import Path

import numpy as np
import pytest

from components.dataset import Dataset
from components.evaluate.judged import read_predictions
from components.lesions import CODES, Split, Task
from components.params import load_params
from components.predictions import PROBABILITY_COLUMNS
from components.preprocess import preprocess
from components.reporter import Reporter
from components.tracking import Ledger
from pipelines.home import Home
from tests.components.register.conftest import Made, judged
from tests.datasets import encoded_dataset
from tests.dermacare.api.test_predictions import ask
from tests.dermacare_server import serving
from tests.mlflow_server import address
from tests.trainings import classifier_params, planned, train_tiny, unet_params


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_jpegs_of_the_test_split_get_the_pipelines_own_probabilities(mode: str, tmp_path: Path, mlflow_database: Path) -> None:
    source = encoded_dataset(tmp_path / "source", per_class=3, size=(200, 260))
    size = {"classification_size": (48, 64), "segmentation_size": (48, 64)}
    params = load_params().params.preprocess.model_copy(update={"mode": mode, **size})
    pixels = tmp_path / "pixels"
    pixels.mkdir()
    preprocess(source, pixels, params, Reporter(pixels, "preprocess"))
    data = planned(pixels, tmp_path / "plan")
    models = [
        train_tiny(data, tmp_path / "tiny_cnn", classifier_params(epochs=1)),
        train_tiny(data, tmp_path / "unet_tiny", unet_params(epochs=1)),
    ]
    made = Made(pixels, models, judged(pixels, models, tmp_path / "evaluation"))
    home = Home(tmp_path / "home")
    made.register(Ledger(address(mlflow_database, home.root), "dermacare"), home.root / "out")

    encoded = Dataset(source)
    rows = encoded.rows(Task.CLASSIFICATION, Split.TEST).to_dict("records")
    table = read_predictions(made.evaluation / "predictions" / "tiny_cnn.parquet").set_index("image_id")
    answered = 0
    with serving(home.root) as server, server.client() as client:
        for row in rows:
            said = ask(client, encoded.image_bytes(row), heat_map="true")
            expected = table.loc[row["image_id"], list(PROBABILITY_COLUMNS)].to_numpy(float)
            if said.refusal is None:
                got = {one.code.value: one.probability for one in said.diagnoses}
                np.testing.assert_allclose([got[code] for code in CODES], expected, atol=1e-4)
                assert said.heat_map is not None
                answered += 1
            assert (said.image.height, said.image.width) == (200, 260)
    assert answered > len(rows) / 2
