"""Who may do what on the team's tracking server, and what it refuses to everybody: asked of the real one."""

import http.client
from base64 import b64encode

import pytest
import requests

from tests.tracking_server.server import ADMIN, PASSWORDS, TrackingServer

pytestmark = pytest.mark.slow

LOG_A_RUN = """
import mlflow
mlflow.set_experiment("team")
with mlflow.start_run():
    mlflow.log_metric("loss", 0.5, step=1)
    mlflow.log_text("what it was", "note.txt")
    print(mlflow.active_run().info.run_id)
"""
REGISTER = """
from mlflow import MlflowClient
client = MlflowClient()
if not client.search_registered_models("name = 'lesion-test'"):
    client.create_registered_model("lesion-test")
run = client.get_run("RUN").info
print(client.create_model_version("lesion-test", source=run.artifact_uri, run_id=run.run_id).version)
"""

REFUSED = [
    ("GET", "/api/2.0/mlflow/webhooks"),
    ("POST", "/api/2.0/mlflow/webhooks"),
    ("POST", "/ajax-api/3.0/jobs"),
    ("POST", "/ajax-api/3.0/jobs/search"),
    ("POST", "/gateway/mlflow/v1/chat/completions"),
    ("GET", "/ajax-api/2.0/mlflow/gateway-proxy"),
    ("POST", "/api/3.0/mlflow/gateway/endpoints/create"),
    ("GET", "/ajax-api/3.0/mlflow/assistant/config"),
    ("POST", "/ajax-api/3.0/mlflow/demo/generate"),
    ("POST", "/ajax-api/3.0/mlflow/genai/evaluate/invoke"),
    ("POST", "/api/3.0/mlflow/scorers/register"),
    ("POST", "/v1/traces"),
    ("POST", "/api/3.0/mlflow/traces/search"),
    ("GET", "/api/3.0/mlflow/mcp-servers"),
    ("POST", "/api/3.0/mlflow/workspaces"),
    ("GET", "/signup"),
    ("POST", "/api/2.0/mlflow/users/create-ui"),
    ("POST", "/api/2.0/mlflow/model-versions/transition-stage"),
    ("POST", "/api/2.0/mlflow/artifacts/presigned-upload-url"),
    ("GET", "/api/2.0/mlflow-artifacts/presigned/0/a.txt"),
    ("POST", "/api/2.0/mlflow-artifacts/mpu/create/0/a.txt"),
    ("POST", "/ajax-api/2.0/mlflow/upload-artifact"),
    ("POST", "/ajax-api/2.0/mlflow/runs/create-promptlab-run"),
    ("GET", "/api/3.0/mlflow/server-info"),
    ("GET", "/metrics"),
    ("GET", "/docs"),
]
AMBIGUOUS = [
    "/api/2.0/mlflow/webhooks/../runs/get",
    "/api/2.0/mlflow/runs/%2e%2e/webhooks",
    "/api/2.0/mlflow/registered-models/get/..%2falias",
    "/api/2.0/mlflow//webhooks",
    "/api/2.0/mlflow/webhooks#/../runs/get",
]


def ask(server: TrackingServer, user: str | None, method: str, path: str, **more: object) -> int:
    """The status with which the server answers; the path goes out as it stands."""
    own = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    headers = {"Content-Type": "application/json", **{key: str(value) for key, value in more.items()}}
    if user is not None:
        headers["Authorization"] = "Basic " + b64encode(f"{user}:{PASSWORDS[user]}".encode()).decode()
    own.request(method, path, body=b"{}" if method != "GET" else None, headers=headers)
    status = own.getresponse().status
    own.close()
    return status


def move_alias(server: TrackingServer, user: str, password: str, version: str) -> requests.Response:
    return requests.post(
        f"{server.uri}/api/2.0/mlflow/registered-models/alias",
        json={"name": "lesion-test", "alias": "production", "version": version},
        auth=(user, password),
        timeout=30,
    )


@pytest.fixture(scope="module")
def run(shared_server: TrackingServer) -> str:
    """A run that the engineer logged."""
    done = shared_server.python("eva", LOG_A_RUN)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


@pytest.fixture(scope="module")
def version(shared_server: TrackingServer, run: str) -> str:
    """A version that the engineer registered."""
    done = shared_server.python("eva", REGISTER.replace("RUN", run))
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


@pytest.mark.parametrize(("method", "path"), REFUSED)
def test_routes_that_are_not_needed_are_refused_even_to_the_admin(shared_server: TrackingServer, method: str, path: str) -> None:
    assert ask(shared_server, ADMIN, method, path) == 403


@pytest.mark.parametrize("path", AMBIGUOUS)
def test_a_path_that_can_be_read_in_two_ways_is_refused(shared_server: TrackingServer, path: str) -> None:
    assert ask(shared_server, ADMIN, "GET", path) == 400


def test_without_a_password_or_with_a_wrong_one_nothing_is_read(shared_server: TrackingServer, run: str) -> None:
    reading = f"/api/2.0/mlflow/runs/get?run_id={run}"
    for path in ("/", reading, "/version", "/graphql", "/api/2.0/mlflow-artifacts/artifacts?path=0"):
        assert ask(shared_server, None, "GET", path) == 401, path
    wrong = requests.get(f"{shared_server.uri}/", auth=("eva", "not-her-password"), timeout=30)
    assert wrong.status_code == 401
    assert ask(shared_server, None, "GET", "/health") == 200


def test_a_foreign_page_cannot_write_with_a_users_browser(shared_server: TrackingServer) -> None:
    assert ask(shared_server, "eva", "POST", "/ajax-api/2.0/mlflow/runs/create", Origin="https://elsewhere.example") == 403


def test_a_foreign_host_name_is_refused(shared_server: TrackingServer) -> None:
    assert ask(shared_server, "eva", "GET", "/", Host="elsewhere.example") == 403


def test_everything_is_read_by_a_reviewer_and_nothing_is_written(shared_server: TrackingServer, run: str, version: str) -> None:
    code = f"""
from mlflow import MlflowClient
from mlflow.artifacts import load_text
from mlflow.exceptions import MlflowException
client = MlflowClient()
run = client.get_run("{run}")
assert run.data.metrics == {{"loss": 0.5}}
assert load_text(run.info.artifact_uri + "/note.txt") == "what it was"
assert [found.info.run_id for found in client.search_runs([run.info.experiment_id])] == ["{run}"]
assert client.get_model_version("lesion-test", "{version}")
attempts = [
    lambda: client.create_experiment("mine"),
    lambda: client.create_run(run.info.experiment_id),
    lambda: client.log_metric("{run}", "loss", 0.1),
    lambda: client.set_tag("{run}", "note", "mine"),
    lambda: client.log_text("{run}", "other", "note.txt"),
    lambda: client.delete_run("{run}"),
    lambda: client.delete_experiment(run.info.experiment_id),
    lambda: client.create_registered_model("mine"),
    lambda: client.create_model_version("lesion-test", source=run.info.artifact_uri, run_id="{run}"),
    lambda: client.set_model_version_tag("lesion-test", "{version}", "a", "b"),
    lambda: client.set_registered_model_alias("lesion-test", "production", "{version}"),
    lambda: client.delete_registered_model("lesion-test"),
]
for number, attempt in enumerate(attempts):
    try:
        attempt()
    except (MlflowException, OSError) as error:  # files are asked for without MLflow's own errors
        assert "403" in str(error) or "PERMISSION_DENIED" in str(error) or "Permission denied" in str(error), (number, error)
    else:
        raise AssertionError(number)
"""
    runs = shared_server.database.query("tracking", "select count(*) from runs")
    done = shared_server.python("rob", code)
    assert done.returncode == 0, done.stderr
    assert shared_server.database.query("tracking", "select count(*) from runs") == runs


def test_production_is_moved_by_promoters_alone(shared_server: TrackingServer, version: str) -> None:
    server = shared_server
    for user in ("eva", "rob", ADMIN):
        answer = move_alias(server, user, PASSWORDS[user], version)
        assert answer.status_code == 403
        assert "only promoters" in answer.json()["message"]
    assert move_alias(server, "pia", PASSWORDS["eva"], version).status_code == 401  # the name alone is not enough
    assert move_alias(server, "PIA", PASSWORDS["pia"], version).status_code == 403
    assert move_alias(server, "pia", PASSWORDS["pia"], version).status_code == 200
    found = server.database.query("tracking", "select alias, version from registered_model_aliases")
    assert found == [("production", int(version))]
    for path in ("registered-models/rename", "registered-models/delete", "model-versions/delete"):
        method = "POST" if path.endswith("rename") else "DELETE"
        for user in ("eva", ADMIN):
            assert ask(server, user, method, f"/api/2.0/mlflow/{path}") == 403


def test_users_are_made_where_the_roles_are_there_as_on_a_cluster(shared_server: TrackingServer) -> None:
    shared_server.make_users("-later")
    for user, status in (("eva", 200), ("rob", 403)):
        answer = requests.post(
            f"{shared_server.uri}/api/2.0/mlflow/experiments/create",
            json={"name": f"of {user}"},
            auth=(f"{user}-later", PASSWORDS[user]),
            timeout=30,
        )
        assert answer.status_code == status, answer.text


def test_who_is_not_the_admin_makes_no_users_and_gives_no_rights(shared_server: TrackingServer) -> None:
    for user in ("eva", "pia", "rob"):
        for path in ("/api/2.0/mlflow/users/create", "/api/3.0/mlflow/roles/create", "/api/3.0/mlflow/roles/assign"):
            assert ask(shared_server, user, "POST", path) in (400, 403), path
        body = {"username": user, "resource_type": "workspace", "resource_id": "*", "permission": "MANAGE"}
        answer = requests.post(
            f"{shared_server.uri}/api/3.0/mlflow/users/permissions/grant", json=body, auth=(user, PASSWORDS[user]), timeout=30
        )
        assert answer.status_code in (400, 403)
    assert ask(shared_server, ADMIN, "POST", "/api/2.0/mlflow/users/create") == 400  # empty, but heard


def test_the_log_names_who_asked_and_holds_no_password(shared_server: TrackingServer, version: str) -> None:
    log = shared_server.log.read_text(encoding="utf-8")
    assert " eva POST /api/2.0/mlflow/model-versions/create 200 " in log
    assert not [user for user, password in PASSWORDS.items() if password in log]
