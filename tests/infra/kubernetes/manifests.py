"""The manifests as a cluster gets them: built by kubectl's kustomize, one object after the other."""

import copy
import subprocess
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "infra" / "kubernetes"
OVERLAYS = ("local", "cluster", "gpu")
KUBECTL = Path(sysconfig.get_path("scripts")) / "kubectl"

Manifest = dict[str, Any]


@cache
def _built(folder: Path) -> list[Manifest]:
    done = subprocess.run([str(KUBECTL), "kustomize", str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def build(folder: Path) -> list[Manifest]:
    """The objects of a folder with a kustomization, a copy for each call."""
    return copy.deepcopy(_built(folder))


def overlay(name: str) -> list[Manifest]:
    """The objects of an overlay, and of the restore that is applied beside it."""
    return build(FOLDER / "overlays" / name) + build(FOLDER / "restore")


def label(manifest: Manifest) -> str:
    """`Deployment/mlflow`."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def template(manifest: Manifest) -> Manifest | None:
    """The pod that an object makes; None: it makes none."""
    match manifest["kind"]:
        case "Deployment" | "StatefulSet" | "Job":
            return manifest["spec"]["template"]
        case "CronJob":
            return manifest["spec"]["jobTemplate"]["spec"]["template"]
        case _:
            return None


def containers(pod: Manifest) -> list[Manifest]:
    """All containers of a pod."""
    return pod["spec"].get("initContainers", []) + pod["spec"]["containers"]


def named(manifests: list[Manifest], kind: str) -> set[str]:
    """Names of all objects of a kind."""
    return {manifest["metadata"]["name"] for manifest in manifests if manifest["kind"] == kind}


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    """Whether a selector of labels fits, as Kubernetes reads it."""
    matches = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return matches and all(_fits(rule, labels) for rule in selector.get("matchExpressions", []))


def _fits(rule: Manifest, labels: dict[str, str]) -> bool:
    match rule["operator"]:
        case "In":
            return labels.get(rule["key"]) in rule["values"]
        case "Exists":
            return rule["key"] in labels
        case operator:
            raise ValueError(f"{operator}: is not read here")


def references(pod: Manifest) -> Iterator[tuple[str, str, str | None]]:
    """What a pod must find: kind, name, and the key in it where one is named. What is optional is left out."""
    for container in containers(pod):
        for source in container.get("envFrom", []):
            for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if field in source and not source[field].get("optional"):
                    yield kind, source[field]["name"], None
        for variable in container.get("env", []):
            for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                found = variable.get("valueFrom", {}).get(field)
                if found and not found.get("optional"):
                    yield kind, found["name"], found["key"]
    for volume in pod["spec"].get("volumes", []):
        if "configMap" in volume and not volume["configMap"].get("optional"):
            yield "ConfigMap", volume["configMap"]["name"], None
        if "secret" in volume and not volume["secret"].get("optional"):
            yield "Secret", volume["secret"]["secretName"], None
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"], None
    yield "ServiceAccount", pod["spec"].get("serviceAccountName", "default"), None
