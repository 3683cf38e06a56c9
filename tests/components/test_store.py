"""The step store: whole or absent, resumed, reused, never doubled."""

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

import components
from components.errors import StoreError
from components.params import load_params
from components.store import Outcome, Store, _statements, copy_tree, link_tree, made_by, step_key

PARAMS = load_params(profile="demo").params


def write(name: str, text: str):
    return lambda work: (work / name).write_text(text) and None


def test_an_output_is_made_once_and_then_reused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = store.execute("validate", "k", write("a", "1"))
    second = store.execute("validate", "k", write("a", "2"))
    assert (first.outcome, second.outcome) == (Outcome.DONE, Outcome.REUSED)
    assert (second.out / "a").read_text() == "1"
    assert made_by(second.out)[:2] == ("validate", "k")


def test_a_step_that_fails_leaves_no_output_and_is_resumed_from_its_work(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def half(work: Path) -> None:
        (work / "first").write_text("kept")
        raise ValueError("lost power")

    with pytest.raises(ValueError, match="lost power"):
        store.execute("preprocess", "k", half)
    assert not store.has("preprocess", "k")
    assert store.begun("preprocess", "k")
    finished = store.execute("preprocess", "k", write("second", "2"))
    assert finished.outcome is Outcome.RESUMED
    assert (finished.out / "first").read_text() == "kept"


def test_a_killed_process_leaves_no_output_and_no_lock(tmp_path: Path) -> None:
    code = """
        import sys, time
        from pathlib import Path
        from components.store import Store
        def slow(work):
            (work / "begun").write_text("x")
            (work / ".half.abc.part").write_text("x")
            print("working", flush=True)
            time.sleep(60)
        Store(Path(sys.argv[1])).execute("ingest", "k", slow)
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "working\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    store = Store(tmp_path)
    assert not store.has("ingest", "k")
    finished = store.execute("ingest", "k", write("done", "1"))
    assert finished.outcome is Outcome.RESUMED
    assert sorted(path.name for path in finished.out.iterdir()) == ["begun", "done", "step.json"]


def test_two_processes_that_want_the_same_work_do_it_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    release = threading.Event()
    calls: list[int] = []

    def work(folder: Path) -> None:
        calls.append(1)
        release.wait(10)
        (folder / "a").write_text("1")

    outcomes: list[Outcome] = []
    threads = [threading.Thread(target=lambda: outcomes.append(store.execute("ingest", "k", work).outcome)) for _ in range(2)]
    for thread in threads:
        thread.start()
    release.set()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert sorted(outcomes) == [Outcome.DONE, Outcome.REUSED]


def test_what_a_process_works_at_cannot_be_deleted(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def delete_meanwhile(work: Path) -> None:
        with pytest.raises(StoreError, match="a process is at work here"):
            store.delete("ingest", "k")
        (work / "a").write_text("1")

    finished = store.execute("ingest", "k", delete_meanwhile)
    assert finished.out.is_dir()
    store.delete("ingest", "k")
    assert list(store.entries()) == []


def test_what_a_killed_deletion_left_does_not_keep_the_same_work_from_being_deleted(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def write(work: Path) -> None:
        (work / "a").write_text("1")

    store.execute("ingest", "k", write).out.rename(store.place("ingest", "k") / "deleted")
    store.execute("ingest", "k", write)
    store.delete("ingest", "k")
    assert list(store.entries()) == []


def test_parameters_inputs_code_and_salt_each_change_the_key() -> None:
    section = PARAMS.preprocess
    key = step_key("preprocess", section, {"validate": "a"}, code="c", salt="")
    others = [
        step_key("preprocess", section.model_copy(update={"clip_limit": 3.0}), {"validate": "a"}, code="c"),
        step_key("preprocess", section, {"validate": "b"}, code="c"),
        step_key("preprocess", section, {"validate": "a"}, code="d"),
        step_key("preprocess", section, {"validate": "a"}, code="c", salt="s"),
        step_key("validate", section, {"validate": "a"}, code="c"),
    ]
    assert key not in others
    assert len(set(others)) == len(others)
    assert key == step_key("preprocess", section, {"validate": "a"}, code="c")


def test_an_import_counts_wherever_it_stands() -> None:
    places = """
class A:
    import components.a
    async def f(self):
        with open(x) as y:
            import components.b
try:
    import components.c
except OSError:
    import components.d
else:
    import components.e
finally:
    import components.f
match 1:
    case 1 if x:
        for y in x:
            import components.g
        else:
            import components.h
while x:
    if x:
        pass
    elif y:
        import components.i
"""
    tree = ast.parse(places)
    every = {node.names[0].name for node in ast.walk(tree) if isinstance(node, ast.Import)}
    assert {node.names[0].name for node in _statements(tree) if isinstance(node, ast.Import)} == every
    assert len(every) == 9


def digests_of(root: Path) -> dict[str, str]:
    code = "import json; from components.store import code_digest as d; print(json.dumps({s: d(s) for s in %r}))"
    steps = ["validate", "preprocess", "train_unet", "train_classifier", "evaluate"]
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONSAFEPATH": "1"}
    out = subprocess.run([sys.executable, "-c", code % steps], env=environment, capture_output=True, text=True, check=True)
    digests: dict[str, str] = json.loads(out.stdout)
    return digests


def test_a_step_s_code_is_its_package_all_of_ours_that_it_imports_their_templates_and_the_lock(tmp_path: Path) -> None:
    project = Path(components.__file__).parent.parent
    shutil.copytree(project / "components", tmp_path / "components", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(project / "requirements.lock", tmp_path)

    def changed_by(file: str) -> set[str]:
        before = digests_of(tmp_path)
        with (tmp_path / file).open("a") as handle:
            handle.write("\n# changed\n")
        after = digests_of(tmp_path)
        return {step for step in before if before[step] != after[step]}

    assert changed_by("components/evaluate/figures.py") == {"evaluate"}
    assert changed_by("components/train_unet/losses.py") == {"train_unet"}
    assert changed_by("components/training/loop.py") == {"train_unet", "train_classifier"}
    assert changed_by("components/audit/templates/style.css") == {"validate"}
    assert changed_by("requirements.lock") == {"validate", "preprocess", "train_unet", "train_classifier", "evaluate"}


def test_a_folder_that_no_step_made_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"step\.json: cannot be read"):
        made_by(tmp_path)


def test_an_output_materialised_elsewhere_still_says_who_made_it(tmp_path: Path) -> None:
    out = Store(tmp_path).execute("train_classifier/resnet50", "k", write("a", "1")).out
    target = tmp_path / "elsewhere" / "resnet50"
    target.mkdir(parents=True)
    (target / "old").write_text("x")
    link_tree(out, target)
    assert made_by(target)[:2] == ("train_classifier/resnet50", "k")
    assert sorted(path.name for path in target.iterdir()) == ["a", "step.json"]


def test_an_output_says_from_what_it_was_made(tmp_path: Path) -> None:
    made_from = {"ingest": "i", "validate": "v"}
    out = Store(tmp_path).execute("preprocess", "p", write("a", "1"), made_from=made_from).out
    assert made_by(out).steps == {**made_from, "preprocess": "p"}
    (out / "step.json").write_text('{"step": "preprocess", "key": "p"}')  # as version 0.1.0 wrote it
    assert made_by(out).steps == {"preprocess": "p"}


def test_a_copied_output_shares_no_file_with_the_store(tmp_path: Path) -> None:
    out = Store(tmp_path).execute("ingest", "k", write("a", "1")).out
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "old").write_text("x")
    copy_tree(out, tmp_path / "data")
    assert made_by(tmp_path / "data")[:2] == ("ingest", "k")
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["a", "step.json"]
    assert {path.stat().st_nlink for path in (*out.iterdir(), *(tmp_path / "data").iterdir())} == {1}


def test_earlier_outputs_are_those_of_the_same_step_and_code_newest_first(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = store.execute("ingest", "k1", write("a", "1"), code="c").out
    second = store.execute("ingest", "k2", write("a", "1"), code="c").out
    store.execute("ingest", "k3", write("a", "1"), code="another")
    store.execute("validate", "k4", write("a", "1"), code="c")
    older = store.execute("ingest", "k5", write("a", "1")).out
    (older / "step.json").write_text('{"step": "ingest", "key": "k5"}')  # as version 0.1.0 wrote it
    os.utime(first, (1, 1))
    assert store.earlier("ingest", "c") == [second, first]
    assert store.earlier("preprocess", "c") == []


def test_the_record_tells_which_run_made_an_output(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.execute("ingest", "k", write("a", "1"), run="r1")
    store.execute("ingest", "k", write("a", "1"), run="r2")
    assert store.record("ingest", "k")["run"] == "r1"
    assert json.loads((store.place("ingest", "k") / "record.json").read_text())["outcome"] == "done"
