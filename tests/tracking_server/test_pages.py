"""MLflow's pages behind nginx, in a real browser: a reviewer sees everything that decides, and nothing is broken."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from tests.tracking_server.server import PASSWORDS, TrackingServer

pytestmark = pytest.mark.slow

LOG_AND_REGISTER = """
import mlflow
from mlflow import MlflowClient
mlflow.set_experiment("pages")
with mlflow.start_run(run_name="resnet101, promoted") as run:
    mlflow.log_params({"train_classifier.epochs": 30})
    for step in range(3):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
    mlflow.set_tag("mlflow.note.content", "lesion-pages: version 1 **serves**")
    mlflow.log_text("flavors: {}", "MLmodel")
    mlflow.log_text("<h1>Why version 1 serves</h1>", "REPORT.html")
client = MlflowClient()
client.create_registered_model("lesion-pages")
source = client.get_run(run.info.run_id).info.artifact_uri
client.create_model_version("lesion-pages", source=source, run_id=run.info.run_id, description="Promote: every gate holds.")
print(run.info.experiment_id, run.info.run_id)
"""
# What MLflow's pages ask for and do without: docs/tracking-server.md says what is refused.
NOT_NEEDED = ("/mlflow/server-info", "/mlflow/assistant/", "gateway")


@pytest.fixture(scope="module")
def logged(shared_server: TrackingServer) -> tuple[str, str]:
    done = shared_server.python("eva", LOG_AND_REGISTER)
    assert done.returncode == 0, done.stderr
    experiment, run = done.stdout.split()[-2:]
    return experiment, run


@pytest.fixture
def refused() -> list[str]:
    """Addresses that a page asked for in vain."""
    return []


@pytest.fixture
def page(browser: Browser, shared_server: TrackingServer, refused: list[str]) -> Iterator[Page]:
    """A reviewer's."""

    def look(response: Response) -> None:
        if response.status >= 400:
            refused.append(f"{response.status} {response.url.removeprefix(shared_server.uri)}")

    context = browser.new_context(
        base_url=shared_server.uri,
        http_credentials={"username": "rob", "password": PASSWORDS["rob"]},
        viewport={"width": 1600, "height": 1000},
    )
    one = context.new_page()
    one.on("response", look)
    yield one
    context.close()


def test_the_run_its_figures_and_its_report(page: Page, logged: tuple[str, str], refused: list[str]) -> None:
    experiment, run = logged
    page.goto(f"/#/experiments/{experiment}/runs")
    expect(page.get_by_role("link", name="resnet101, promoted").first).to_be_visible(timeout=60_000)
    page.goto(f"/#/experiments/{experiment}/runs/{run}")
    expect(page.get_by_text("version 1 serves")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("train_classifier.epochs").first).to_be_visible()
    page.goto(f"/#/experiments/{experiment}/runs/{run}/artifacts/REPORT.html")
    report = page.frame_locator("iframe").get_by_text("Why version 1 serves")
    expect(report).to_be_visible(timeout=60_000)
    assert [one for one in refused if not any(part in one for part in NOT_NEEDED)] == []


def test_the_version_and_why_it_serves(page: Page, logged: tuple[str, str], refused: list[str]) -> None:
    page.goto("/#/models")
    expect(page.get_by_role("link", name="lesion-pages").first).to_be_visible(timeout=60_000)
    page.goto("/#/models/lesion-pages/versions/1")
    expect(page.get_by_text("Promote: every gate holds.")).to_be_visible(timeout=60_000)
    assert [one for one in refused if not any(part in one for part in NOT_NEEDED)] == []
