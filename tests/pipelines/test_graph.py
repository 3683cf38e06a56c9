"""The graph is drawn for Kubeflow, for DVC and in the plan: all three are one."""

import re
from pathlib import Path
from typing import Any

import yaml

from components.params import load_params
from pipelines.plan import make_plan
from pipelines.training import compile_pipeline

Edges = set[tuple[str, str]]
PARAMS = load_params(profile="demo").params
PROJECT = Path(__file__).parents[2]


def kubeflow_edges(tmp_path: Path) -> Edges:
    """Step → step, from the compiled pipeline: who reads whose output, loops and loop inputs followed."""
    file = tmp_path / "pipeline.yaml"
    compile_pipeline(PARAMS, "fingerprint", file)
    ir = next(iter(yaml.safe_load_all(file.read_text())))
    edges: Edges = set()

    def walk(tasks: dict[str, Any], outer: dict[str, str]) -> None:
        for name, task in tasks.items():
            reads = task.get("inputs", {}).get("artifacts", {})
            producers = {
                argument: (
                    outer[source["componentInputArtifact"]] if "componentInputArtifact" in source else producer(tasks, source)
                )
                for argument, source in reads.items()
            }
            component = ir["components"][task["componentRef"]["name"]]
            if "dag" in component:
                walk(component["dag"]["tasks"], producers)
            else:
                edges.update((made_by, name.replace("-", "_")) for made_by in producers.values())

    def producer(tasks: dict[str, Any], source: dict[str, Any]) -> str:
        name = source["taskOutputArtifact"]["producerTask"]
        component = ir["components"][tasks[name]["componentRef"]["name"]]
        if "dag" in component:
            (inner,) = component["dag"]["tasks"]
            return inner.replace("-", "_")
        return name.replace("-", "_")

    walk(ir["root"]["dag"]["tasks"], {})
    return edges


def without_parts(edges: Edges) -> Edges:
    """The graph as it is on one machine: a cluster deals preprocessing out, and its first step is not drawn for the others."""
    parts = {("validate", "preprocess_shards"), ("preprocess_shards", "preprocess")}
    assert parts <= edges
    return edges - parts


def dvc_edges() -> Edges:
    """Step → step, from dvc.yaml: whose output is whose dependency."""
    stages = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]
    bodies = {name: stage.get("do", stage) for name, stage in stages.items()}
    outs = {name: [path if isinstance(path, str) else next(iter(path)) for path in b.get("outs", [])] for name, b in bodies.items()}
    return {
        (maker, reader)
        for reader, body in bodies.items()
        for dependency in body["deps"]
        for maker, paths in outs.items()
        if any(path == dependency or path.startswith(dependency + "/") or dependency.startswith(path + "/") for path in paths)
    }


def plan_edges() -> Edges:
    plan = make_plan(PARAMS, fingerprint="fingerprint", run_id="run")
    return {(source.partition("/")[0], step.step) for step in plan.steps for source in step.inputs}


def test_kubeflow_dvc_and_the_plan_draw_the_same_graph(tmp_path: Path) -> None:
    expected = {
        ("ingest", "validate"),
        ("validate", "preprocess"),
        ("preprocess", "augment_balance"),
        *((step, trainer) for step in ("preprocess", "augment_balance") for trainer in ("train_unet", "train_classifier")),
        *((step, "evaluate") for step in ("preprocess", "train_unet", "train_classifier")),
        *((step, "register") for step in ("preprocess", "train_unet", "train_classifier", "evaluate")),
    }
    assert plan_edges() == expected
    assert without_parts(kubeflow_edges(tmp_path)) == expected
    assert dvc_edges() == expected


def test_dvc_calls_each_step_with_the_folders_that_it_depends_on() -> None:
    stages = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]
    for name, stage in stages.items():
        body = stage.get("do", stage)
        assert re.search(rf"dermacare step {name}\b", body["cmd"])
        handed = set(re.findall(r"--input \w+=(\S+)", body["cmd"]))
        assert handed == {path for path in body["deps"] if path.startswith("data/")}
        assert name in [param for param in body["params"] if isinstance(param, str)]


def test_dvc_asks_each_step_again_whenever_code_or_dependencies_change() -> None:
    # The key of a step covers every module that it imports: a folder of its own would not.
    stages = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]
    for stage in stages.values():
        assert {"components", "requirements.lock"} <= set(stage.get("do", stage)["deps"])


def test_the_list_of_models_is_what_both_graphs_follow() -> None:
    params = load_params(profile="demo", assignments=["train_classifier.models=[resnet50, tiny_cnn]"]).params
    names = [step.name for step in make_plan(params, fingerprint="f", run_id="r").steps if step.step == "train_classifier"]
    assert names == ["train_classifier/resnet50", "train_classifier/tiny_cnn"]
    stages = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]
    assert stages["train_classifier"]["foreach"] == "${train_classifier.models}"
    assert stages["train_unet"]["foreach"] == "${train_unet.models}"


def test_compiling_twice_gives_the_same_bytes_and_no_path_of_this_machine(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    params = load_params(profile="demo", data=[str(folder)]).params
    for name in ("a.yaml", "b.yaml"):
        compile_pipeline(params, "fingerprint", tmp_path / name)
    text = (tmp_path / "a.yaml").read_text()
    assert text == (tmp_path / "b.yaml").read_text()
    assert str(tmp_path) not in text
    assert str(PROJECT) not in text
    assert str(Path.home()) not in text
