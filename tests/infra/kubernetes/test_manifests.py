"""Every overlay builds, has the form that Kubernetes asks for, and keeps to our rules; and each rule can tell."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from tests.infra.kubernetes import policy
from tests.infra.kubernetes.flows import flows
from tests.infra.kubernetes.manifests import FOLDER, OVERLAYS, ROOT, Manifest, containers, label, overlay, template

DOCUMENT = ROOT / "docs" / "cluster.md"
LOCAL = FOLDER / "overlays" / "local" / "secrets.sh"


def images(manifests: list[Manifest]) -> set[str]:
    """All images that pods of some objects are made of."""
    return {one["image"] for pod in filter(None, map(template, manifests)) for one in containers(pod)}


def made_secrets(text: str) -> dict[str, set[str]]:
    """Secret → its keys, as commands of a text make them."""
    found = {}
    for kind, name, options in re.findall(r"\bsecret (generic |tls )?([a-z0-9-]+)((?:[^\n]*\\\n)*[^\n]*)", text):
        keys = {"tls.crt", "tls.key"} if kind == "tls " else set(re.findall(r"--from-(?:literal|file)=([A-Za-z0-9_.]+)=", options))
        found[name] = keys
    return found


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_has_the_form_that_kubernetes_asks_for(name: str) -> None:
    for manifest in overlay(name):
        kubernetes_validate.validate(manifest, "1.37", strict=True)


@pytest.mark.parametrize("rule", policy.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_keeps_to_the_rules(name: str, rule: policy.Rule) -> None:
    assert list(rule(overlay(name))) == []


@pytest.mark.parametrize(("name", "file"), [("local", LOCAL), ("cluster", DOCUMENT), ("gpu", DOCUMENT)])
def test_every_secret_that_a_pod_needs_is_made_beforehand(name: str, file: Path) -> None:
    made = made_secrets(file.read_text(encoding="utf-8"))
    made["dermacare-restore"] = made_secrets(DOCUMENT.read_text(encoding="utf-8"))["dermacare-restore"]
    assert {"dermacare-tracking", "dermacare-s3", "dermacare-ledger", "dermacare-signing-key"} <= set(made)  # pods of the pipeline
    assert list(policy.everything_referenced_exists(overlay(name), made)) == []


def test_pods_talk_to_whom_they_need_and_to_nobody_else() -> None:
    assert flows(overlay("local")) == {
        ("ingress", "dermacare", "http"),
        ("monitoring", "dermacare", "http"),
        ("ingress", "mlflow", "http"),
        ("dermacare", "mlflow", "http"),
        ("steps", "mlflow", "http"),
        ("mlflow", "postgresql", "postgresql"),
        ("mlflow-upgrade", "postgresql", "postgresql"),
        ("dermacare", "postgresql", "postgresql"),
        ("backup", "postgresql", "postgresql"),
        ("steps", "postgresql", "postgresql"),
        ("mlflow", "s3", "s3"),
        ("backup", "s3", "s3"),
        ("buckets", "s3", "s3"),
        ("steps", "s3", "s3"),
    }


@pytest.mark.parametrize("name", ["cluster", "gpu"])
def test_in_a_cluster_only_mlflow_and_dermacare_are_reached(name: str) -> None:
    assert flows(overlay(name)) == {
        ("ingress", "dermacare", "http"),
        ("monitoring", "dermacare", "http"),
        ("ingress", "mlflow", "http"),
        ("dermacare", "mlflow", "http"),
        ("steps", "mlflow", "http"),
    }


@pytest.mark.parametrize("name", OVERLAYS)
def test_images_of_ours_have_the_packages_version(name: str) -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    ours = {image for image in images(overlay(name)) if "dermacare-" in image}
    assert ours
    assert all(image.endswith(f":{version}") for image in ours)


def test_in_a_cluster_every_image_comes_from_the_one_registry() -> None:
    built = [one for name in ("cluster", "gpu") for one in overlay(name) if label(one) != "Job/restore"]
    assert {image.partition("/")[0] for image in images(built)} == {"registry.example.org"}


GONE = object()
_POD, _FIRST = "spec template spec", "spec template spec containers 0"
_CRON = "spec jobTemplate spec template spec"

# What breaks each rule: the rule, an object, a place in it, what stands there then, what is said.
BROKEN: list[tuple[policy.Rule, str, str, object, str]] = [
    (
        policy.restricted,
        "Namespace/dermacare",
        "metadata labels pod-security.kubernetes.io/enforce",
        "baseline",
        "does not enforce",
    ),
    (policy.restricted, "Deployment/mlflow", f"{_POD} securityContext runAsUser", 0, "runAsUser"),
    (policy.restricted, "Deployment/mlflow", f"{_POD} securityContext runAsNonRoot", GONE, "runAsNonRoot"),
    (policy.restricted, "Deployment/mlflow", f"{_POD} securityContext seccompProfile", GONE, "seccompProfile"),
    (policy.restricted, "CronJob/backup", f"{_CRON} initContainers 0 securityContext capabilities", GONE, "capabilities"),
    (policy.restricted, "Job/restore", f"{_FIRST} securityContext readOnlyRootFilesystem", False, "readOnlyRootFilesystem"),
    (policy.restricted, "StatefulSet/s3", f"{_FIRST} securityContext allowPrivilegeEscalation", GONE, "allowPrivilegeEscalation"),
    (policy.restricted, "StatefulSet/s3", f"{_FIRST} securityContext privileged", True, "privileged"),
    (policy.restricted, "StatefulSet/s3", f"{_FIRST} ports 0 hostPort", 8333, "hostPort"),
    (policy.restricted, "StatefulSet/s3", f"{_POD} hostNetwork", True, "host is not"),
    (policy.restricted, "Deployment/mlflow", f"{_POD} volumes 0", {"name": "tmp", "hostPath": {"path": "/"}}, "volumes"),
    (policy.bounded, "Deployment/dermacare", f"{_FIRST} resources limits memory", GONE, "no memory in its limits"),
    (policy.bounded, "CronJob/backup", f"{_CRON} containers 0 resources requests", GONE, "no cpu in its requests"),
    (policy.bounded, "Deployment/mlflow", f"{_POD} volumes 0 emptyDir", {}, "no sizeLimit"),
    (policy.exact_images, "Deployment/mlflow", f"{_FIRST} image", "dermacare-mlflow", "no exact version"),
    (policy.exact_images, "Deployment/mlflow", f"{_FIRST} image", "dermacare-mlflow:latest", "no exact version"),
    (policy.exact_images, "StatefulSet/postgresql", f"{_FIRST} image", "postgres:17", "no exact version"),
    (policy.no_secrets, "ConfigMap/backup", "data PGPASSWORD", "x", "PGPASSWORD looks like a secret"),
    (policy.no_secrets, "ConfigMap/dermacare", "data URL", "http://eva:x@mlflow", "URL looks like a secret"),
    (policy.no_secrets, "Service/mlflow", "kind", "Secret", "is a secret"),
    (policy.no_secrets, "Deployment/dermacare", f"{_FIRST} env 0", {"name": "API_TOKEN", "value": "x"}, "API_TOKEN looks like"),
    (policy.probed, "Deployment/mlflow", f"{_FIRST} startupProbe", GONE, "has no startupProbe"),
    (policy.probed, "Deployment/mlflow", f"{_FIRST} livenessProbe httpGet port", "web", "a port that it has not"),
    (policy.updates_lose_nothing, "Deployment/mlflow", "spec strategy", GONE, "before the new one is ready"),
    (policy.updates_lose_nothing, "Deployment/dermacare", f"{_FIRST} lifecycle", GONE, "while requests still come"),
    (policy.updates_lose_nothing, "Deployment/dermacare", f"{_POD} terminationGracePeriodSeconds", 30, "killed while it answers"),
    (policy.updates_lose_nothing, "Deployment/mlflow", f"{_POD} topologySpreadConstraints", GONE, "on one node"),
    (policy.everything_referenced_exists, "ConfigMap/dermacare", "metadata name", "other", "ConfigMap dermacare is made by nobody"),
    (policy.everything_referenced_exists, "ConfigMap/dermacare", "data AWS_DEFAULT_REGION", GONE, "has no AWS_DEFAULT_REGION"),
    (policy.everything_referenced_exists, "ServiceAccount/backup", "metadata name", "other", "ServiceAccount backup is made by"),
    (policy.everything_referenced_exists, "PersistentVolumeClaim/kept", "metadata name", "x", "kept is made by nobody"),
    (policy.selectors_match, "Service/mlflow", "spec selector app", "x", "no pod has its labels and ports"),
    (policy.selectors_match, "Service/dermacare", "spec ports 0 targetPort", "web", "no pod has its labels and ports"),
    (policy.selectors_match, "Deployment/mlflow", "spec selector matchLabels app", "x", "selects other pods"),
    (policy.denied_by_default, "NetworkPolicy/deny-all", "spec policyTypes", ["Ingress"], "no policy denies everything"),
    (policy.denied_by_default, "NetworkPolicy/mlflow", "spec ingress 0 from", GONE, "names no from"),
    (policy.denied_by_default, "NetworkPolicy/mlflow", "spec ingress 0 from", [{"podSelector": {}}], "opens to everybody"),
    (policy.least_rights, "ServiceAccount/mlflow", "automountServiceAccountToken", GONE, "a token without a role"),
    (policy.least_rights, "Role/dermacare-steps", "rules 0 verbs", ["*"], "wild card"),
    (policy.least_rights, "Role/dermacare-steps", "rules 3 resourceNames", GONE, "reads every secret"),
    (policy.least_rights, "Role/dermacare-steps", "kind", "ClusterRole", "beyond the namespace"),
    (policy.least_rights, "Deployment/mlflow", f"{_POD} serviceAccountName", GONE, "default account"),
    (policy.least_rights, "Job/buckets", f"{_POD} automountServiceAccountToken", GONE, "gets a token of Kubernetes"),
    (policy.in_one_namespace, "Service/mlflow", "metadata namespace", GONE, "another namespace"),
]
CLUSTER_BROKEN: list[tuple[str, str, object, str]] = [
    ("PodDisruptionBudget/mlflow", "spec selector matchLabels app", "x", "is about no pod"),
    ("HorizontalPodAutoscaler/mlflow", "spec scaleTargetRef name", "x", "which there is not"),
    ("Deployment/mlflow", "spec replicas", 1, "sets a number of replicas itself"),
    ("Ingress/mlflow", "spec rules 0 http paths 0 backend service name", "x", "there is no service"),
]


def broken(name: str, manifest: str, place: str, value: object) -> list[Manifest]:
    """An overlay's objects, one of them changed in one place."""
    manifests = overlay(name)
    found: Any = next(one for one in manifests if label(one) == manifest)
    *path, last = (int(part) if part.isdecimal() else part for part in place.split())
    for part in path:
        found = found[part]
    if value is GONE:
        del found[last]
    else:
        found[last] = value
    return manifests


@pytest.mark.parametrize(("rule", "manifest", "place", "value", "said"), BROKEN)
def test_a_manifest_that_breaks_a_rule_is_named(rule: policy.Rule, manifest: str, place: str, value: object, said: str) -> None:
    assert any(said in sentence for sentence in rule(broken("local", manifest, place, value)))


@pytest.mark.parametrize(("manifest", "place", "value", "said"), CLUSTER_BROKEN)
def test_what_is_about_no_pod_is_named(manifest: str, place: str, value: object, said: str) -> None:
    assert any(said in sentence for sentence in policy.selectors_match(broken("cluster", manifest, place, value)))


@pytest.mark.parametrize("way", ["ingress", "egress"])
def test_a_flow_needs_both_ends(way: str) -> None:
    end = {"ingress": "NetworkPolicy/s3", "egress": "NetworkPolicy/to-s3"}[way]
    assert ("mlflow", "s3", "s3") not in flows(broken("local", end, f"spec {way}", []))


def test_every_rule_has_a_manifest_that_breaks_it() -> None:
    assert {one[0] for one in BROKEN} == set(policy.RULES)


def test_a_secret_that_nobody_makes_is_named() -> None:
    made = made_secrets(LOCAL.read_text(encoding="utf-8"))
    del made["dermacare-s3"]
    made["dermacare-postgresql"] = {"password"}
    said = list(policy.everything_referenced_exists(overlay("local"), made))
    assert "Deployment/mlflow: Secret dermacare-s3 is made by nobody" in said
    assert "Deployment/mlflow: Secret dermacare-postgresql has no PGPASSWORD" in said


@pytest.mark.parametrize("change", [{"replcas": 2}, {"replicas": "two"}])
def test_a_field_that_kubernetes_does_not_know_is_refused(change: dict[str, object]) -> None:
    manifest = next(one for one in overlay("cluster") if label(one) == "Deployment/mlflow")
    manifest["spec"].update(change)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, "1.37", strict=True)
