"""CI for a user's project: the files are what GitHub and GitLab take, and each command in them does what they say of it."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from components.params import DVC_SOURCE

ROOT = Path(__file__).parents[2]
CI = ROOT / "infra" / "ci"
BIN = Path(sys.executable).parent
SETUP = 'make "${DERMACARE_SETUP:-setup}"'
SCRIPTS = ("infra/ci/data-changed", "infra/ci/retrain", "infra/ci/comment")


def run(*command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, **options)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--builtin-schema", "vendor.github-workflows", str(CI / "github.yml")),
        ("--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", str(CI / "gitlab.yml")),
    ],
    ids=["github", "gitlab"],
)
def test_the_file_passes_its_schema(arguments: tuple[str, ...]) -> None:
    done = run(str(BIN / "check-jsonschema"), *arguments)
    assert done.returncode == 0, done.stdout


def test_the_workflow_has_no_hole_that_a_linter_knows() -> None:
    done = run(str(BIN / "zizmor"), "--offline", "--no-progress", str(CI / "github.yml"))
    assert done.returncode == 0, done.stdout


def test_shell_scripts_are_clean() -> None:
    scripts = [str(ROOT / name) for name in (*SCRIPTS, ".ci/run", "mlflow/serve")]
    done = run(str(BIN / "shellcheck"), *scripts)
    assert done.returncode == 0, done.stdout


def commands() -> set[str]:
    """Every command of both files."""
    github = yaml.safe_load((CI / "github.yml").read_text())
    gitlab = yaml.safe_load((CI / "gitlab.yml").read_text())
    found = {step["run"] for job in github["jobs"].values() for step in job["steps"] if "run" in step}
    for job in gitlab.values():
        if isinstance(job, dict):
            found |= {line for part in ("script", "after_script") for line in job.get(part, [])}
    return found


def test_each_command_is_run_by_a_test() -> None:
    tried_here = {SETUP, "infra/ci/retrain", "infra/ci/comment", 'infra/ci/data-changed "$BEFORE" >> "$GITHUB_OUTPUT"'}
    script = (ROOT / ".ci" / "run").read_text()  # what tests this project
    ours = {line for line in script.splitlines() if line.startswith("make ")}
    by_hand = {"make images", "make audit"}  # for an hour; asks registries abroad
    assert commands() - tried_here - ours == by_hand


@pytest.mark.parametrize(("chosen", "target"), [("", "setup"), ("setup-gpu", "setup-gpu")])
def test_the_machine_that_trains_gets_the_tensorflow_that_its_variable_names(chosen: str, target: str) -> None:
    """What the targets do: tests/infra/test_setup.py. A variable that is not set is an empty one in a job of GitHub's."""
    asked = run("bash", "-c", f"make() {{ echo $*; }}; {SETUP}", env={**os.environ, "DERMACARE_SETUP": chosen}, check=True)
    assert asked.stdout == f"{target}\n"


def test_sources_that_are_named_as_examples_are_spelled_as_the_program_reads_them() -> None:
    texts = "\n".join(path.read_text() for path in (CI / "README.md", CI / "retrain"))
    named = set(re.findall(r"--data ([^\s`]+)", texts))
    assert named == {"dvc:.@HEAD:data/raw", "s3://hospital/isic"}
    assert DVC_SOURCE.fullmatch("dvc:.@HEAD:data/raw")


def test_main_alone_trains_without_being_asked_and_no_job_drops_another_branch_s() -> None:
    job = yaml.safe_load((CI / "github.yml").read_text())["jobs"]["retrain"]
    assert job["environment"] == "${{ github.event_name == 'push' && 'dermacare' || 'dermacare-review' }}"
    assert "github.ref" in job["concurrency"]["group"]
    assert not job["concurrency"]["cancel-in-progress"]
    whole = yaml.safe_load((CI / "github.yml").read_text())["concurrency"]
    assert whole["group"].endswith("${{ github.event_name == 'pull_request' && github.ref || github.run_id }}")
    rules = yaml.safe_load((CI / "gitlab.yml").read_text())["retrain"]["rules"]
    assert [rule.get("when") for rule in rules] == ["never", "never", None]
    assert "CI_MERGE_REQUEST_SOURCE_BRANCH_PROTECTED" in rules[1]["if"]


def test_the_job_is_given_every_variable_of_the_readme() -> None:
    job = yaml.safe_load((CI / "github.yml").read_text())["jobs"]["retrain"]
    rows = [line.split("|")[1] for line in (CI / "README.md").read_text().splitlines() if re.match(r"\| `[A-Z]", line)]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} - {"DERMACARE_GITLAB_TOKEN"} == set(job["env"])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A git repository with the scripts and a data version, committed."""
    root = tmp_path / "project"
    shutil.copytree(CI, root / "infra" / "ci")
    git(root, "init", "-q")
    commit(root, "dvc.lock", "one")
    return root


def git(root: Path, *arguments: str) -> str:
    who = ("-c", "user.name=tester", "-c", "user.email=tester@example.org")
    return run("git", "-C", str(root), *who, *arguments, check=True).stdout.strip()


def commit(root: Path, name: str, text: str) -> str:
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text(text)
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", name)
    return git(root, "rev-parse", "HEAD")


@pytest.mark.parametrize(
    ("name", "changed"), [("dvc.lock", True), ("data/images.dvc", True), ("params.yaml", False), ("data/notes.txt", False)]
)
def test_only_the_datas_version_trains_again(project: Path, name: str, changed: bool) -> None:
    before = git(project, "rev-parse", "HEAD")
    commit(project, name, "two")
    done = run("infra/ci/data-changed", before, cwd=project, check=True)
    assert done.stdout == f"changed={str(changed).lower()}\n"


def test_a_new_branch_has_nothing_to_compare_with(project: Path) -> None:
    assert run("infra/ci/data-changed", "0" * 40, cwd=project, check=True).stdout == "changed=true\n"


@pytest.mark.parametrize(
    ("code", "passes", "says"),
    [
        (0, True, "unchanged"),
        (10, True, "promoted"),
        (20, True, "waits for approval"),
        (30, False, "refused: production stays"),
        (1, False, "goes on from where it was"),
    ],
)
def test_each_end_of_a_retraining_is_told_apart(project: Path, code: int, passes: bool, says: str) -> None:
    """With a stand-in for `dermacare`, which tests/e2e/test_retrain.py runs in earnest."""
    program = f'echo "$@" >> calls\nenv > given\n[ "$1" = retrain ] || exit 0\necho "{{}}"\nexit {code}\n'
    stand_in(project, "dermacare", program)
    given = {"DERMACARE_RETRAIN": "--profile best", "AWS_DEFAULT_REGION": "", "DERMACARE_STORE": "s3://bucket"}
    done = run("infra/ci/retrain", cwd=project, env={**os.environ, **given})
    assert done.returncode == (0 if passes else code)
    assert says in done.stdout + done.stderr
    assert (project / "retrain.json").read_text() == "{}\n"
    asked = "retrain --if-changed --wait --json --markdown comparison.md --profile best"
    assert (project / "calls").read_text().splitlines() == ["data pull", asked]
    names = {line.partition("=")[0] for line in (project / "given").read_text().splitlines()}
    assert "AWS_DEFAULT_REGION" not in names, "a variable that is not set is an empty one in a job of GitHub's"
    assert "DERMACARE_STORE" in names


def stand_in(project: Path, name: str, script: str) -> None:
    """A program of the project's environment that does what the shell script says."""
    program = project / ".venv" / "bin" / name
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}")
    program.chmod(0o755)


def test_what_a_retraining_leaves_and_what_the_docs_have_written_in_a_clone_is_no_change_of_the_code(project: Path) -> None:
    """`pipelines.publish.git_state` calls code dirty where git knows of a file that is in no commit."""
    commit(project, ".gitignore", (ROOT / ".gitignore").read_text())
    stand_in(project, "dermacare", 'while [ $# -gt 0 ]; do [ "$1" != --markdown ] || echo "# Better" > "$2"; shift; done\n')
    run("infra/ci/retrain", cwd=project, check=True)
    names = ("changes.html", "page.html", "pipeline.yaml", "out/predictions.csv", "signing.key", "keys", "elsewhere/signing.key")
    for name in names:
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text("mine")
    assert (project / "comparison.md").exists()
    assert git(project, "status", "--porcelain", "--untracked-files=all") == ""


@contextmanager
def simulated_forge() -> Iterator[tuple[str, list[tuple[str, dict[str, str], Any]]]]:
    """What GitHub's and GitLab's API would hear, simulated: address, and path, headers and body of each request."""
    heard: list[tuple[str, dict[str, str], Any]] = []

    class Forge(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            heard.append((self.path, dict(self.headers), body))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Forge)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", heard
    finally:
        server.shutdown()
        server.server_close()


def test_the_comparison_is_shown_beside_a_pull_request(project: Path) -> None:
    (project / "comparison.md").write_text('# Better\n| "a" | b |\n')
    with simulated_forge() as (address, heard):
        forge = {"GITHUB_API_URL": address, "GITHUB_REPOSITORY": "clinic/skin", "GITHUB_TOKEN": "t0ken", "PULL_REQUEST": "7"}
        run("infra/ci/comment", cwd=project, env={**os.environ, **forge}, check=True)
    ((path, headers, body),) = heard
    assert path == "/repos/clinic/skin/issues/7/comments"
    assert headers["Authorization"] == "Bearer t0ken"
    assert body == {"body": '# Better\n| "a" | b |\n'}


def test_the_comparison_is_shown_beside_a_merge_request(project: Path) -> None:
    (project / "comparison.md").write_text("# Better\n")
    with simulated_forge() as (address, heard):
        forge = {"CI_API_V4_URL": address, "CI_PROJECT_ID": "5", "DERMACARE_GITLAB_TOKEN": "t0ken", "CI_MERGE_REQUEST_IID": "3"}
        run("infra/ci/comment", cwd=project, env={**os.environ, **forge}, check=True)
    ((path, headers, body),) = heard
    assert path == "/projects/5/merge_requests/3/notes"
    assert headers["PRIVATE-TOKEN"] == "t0ken"
    assert body == {"body": "# Better\n"}


def test_nothing_is_said_where_there_is_no_comparison(project: Path) -> None:
    assert run("infra/ci/comment", cwd=project, check=True).stdout == ""
