"""What every object of every overlay must keep to. Each rule yields what it finds wrong, a sentence an object."""

import re
from collections.abc import Callable, Iterator

from tests.infra.kubernetes.manifests import Manifest, containers, label, named, references, selects, template

Rule = Callable[[list[Manifest]], Iterator[str]]

STEPS = {"workflows.argoproj.io/workflow": "dermacare-run"}
"""Labels of a pod of the pipeline, which Kubeflow makes."""

_EXACT = re.compile(r":\d+\.\d+(\.\d+)?(-[a-z0-9.]+)?$")
_SECRET = re.compile(r"password|secret|token|access_key|credential|://[^/\s]*:[^/\s]*@", re.IGNORECASE)


def _pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    for manifest in manifests:
        if (pod := template(manifest)) is not None:
            yield label(manifest), pod


def _containers(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest, Manifest]]:
    for name, pod in _pods(manifests):
        for container in containers(pod):
            yield f"{name}/{container['name']}", pod, container


def restricted(manifests: list[Manifest]) -> Iterator[str]:
    """Pod Security *restricted*, and a root file system that is only read."""
    for manifest in manifests:
        labels = manifest["metadata"].get("labels", {})
        if manifest["kind"] == "Namespace" and labels.get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"{label(manifest)}: does not enforce Pod Security restricted"
    for name, pod, container in _containers(manifests):
        spec, own = pod["spec"].get("securityContext", {}), container.get("securityContext", {})
        wanted = {
            "runAsNonRoot": own.get("runAsNonRoot", spec.get("runAsNonRoot")) is True,
            "runAsUser": bool(own.get("runAsUser", spec.get("runAsUser"))),
            "seccompProfile": own.get("seccompProfile", spec.get("seccompProfile", {})).get("type") == "RuntimeDefault",
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "readOnlyRootFilesystem": own.get("readOnlyRootFilesystem") is True,
            "capabilities": own.get("capabilities") == {"drop": ["ALL"]},
            "privileged": not own.get("privileged"),
            "host": not any(pod["spec"].get(field) for field in ("hostNetwork", "hostPID", "hostIPC")),
            "hostPort": not any("hostPort" in port for port in container.get("ports", [])),
            "volumes": all("hostPath" not in volume for volume in pod["spec"].get("volumes", [])),
        }
        yield from (f"{name}: {field} is not as Pod Security restricted wants it" for field, holds in wanted.items() if not holds)


def bounded(manifests: list[Manifest]) -> Iterator[str]:
    """Requests and limits everywhere, and no folder in memory or on a node's disk that grows without end."""
    for name, pod, container in _containers(manifests):
        for part in ("requests", "limits"):
            for resource in ("cpu", "memory", "ephemeral-storage"):
                if resource not in container.get("resources", {}).get(part, {}):
                    yield f"{name}: has no {resource} in its {part}"
        for volume in pod["spec"].get("volumes", []):
            if "emptyDir" in volume and "sizeLimit" not in (volume["emptyDir"] or {}):
                yield f"{name}: volume {volume['name']} has no sizeLimit"


def exact_images(manifests: list[Manifest]) -> Iterator[str]:
    """No tag that means something else tomorrow."""
    for name, _, container in _containers(manifests):
        if not _EXACT.search(container["image"]):
            yield f"{name}: {container['image']} names no exact version"


def no_secrets(manifests: list[Manifest]) -> Iterator[str]:
    """Secrets are referenced, never written down."""
    for manifest in manifests:
        if manifest["kind"] == "Secret":
            yield f"{label(manifest)}: is a secret in a manifest"
        for key, value in manifest.get("data", {}).items() if manifest["kind"] == "ConfigMap" else ():
            # Scripts name variables that hold secrets.
            if "." not in key and _SECRET.search(f"{key}={value}"):
                yield f"{label(manifest)}: {key} looks like a secret"
    for name, _, container in _containers(manifests):
        for variable in container.get("env", []):
            if "value" in variable and _SECRET.search(f"{variable['name']}={variable['value']}"):
                yield f"{name}: {variable['name']} looks like a secret"


def probed(manifests: list[Manifest]) -> Iterator[str]:
    """What serves is looked at while it starts, lives and is ready, at a port that it has."""
    for manifest in manifests:
        if manifest["kind"] not in ("Deployment", "StatefulSet"):
            continue
        for container in containers(template(manifest) or {}):
            ports = {port["name"] for port in container.get("ports", [])}
            for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
                probe = container.get(kind)
                if probe is None:
                    yield f"{label(manifest)}/{container['name']}: has no {kind}"
                elif probe.get("httpGet", {}).get("port", next(iter(ports), None)) not in ports:
                    yield f"{label(manifest)}/{container['name']}: its {kind} asks at a port that it has not"


def updates_lose_nothing(manifests: list[Manifest]) -> Iterator[str]:
    """A new pod before the old one goes; the old one is out of use before it is told to end, and has time to."""
    for manifest in manifests:
        if manifest["kind"] != "Deployment":
            continue
        rolling = manifest["spec"].get("strategy", {}).get("rollingUpdate", {})
        if rolling.get("maxUnavailable") != 0:
            yield f"{label(manifest)}: an update takes a pod away before the new one is ready"
        pod = template(manifest) or {}
        for container in containers(pod):
            waits = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            if waits < 5:
                yield f"{label(manifest)}/{container['name']}: is told to end while requests still come"
            if pod["spec"].get("terminationGracePeriodSeconds", 30) < waits + 35:  # what the server gives requests, and itself
                yield f"{label(manifest)}/{container['name']}: is killed while it answers"
        if len(pod["spec"].get("topologySpreadConstraints", [])) < 2:
            yield f"{label(manifest)}: may stand on one node, in one zone"


def everything_referenced_exists(manifests: list[Manifest], made: dict[str, set[str]] | None = None) -> Iterator[str]:
    """ConfigMaps, claims and service accounts are among the objects; secrets among those that are made beforehand.

    Args:
        manifests: of an overlay.
        made: secret → its keys, as the documentation makes them; None: secrets are not looked at.
    """
    there: dict[str, set[str]] = {kind: named(manifests, kind) for kind in ("ConfigMap", "PersistentVolumeClaim", "ServiceAccount")}
    there["Secret"] = set(made or ())
    keys: dict[tuple[str, str], set[str]] = {("Secret", name): found for name, found in (made or {}).items()}
    keys |= {("ConfigMap", one["metadata"]["name"]): set(one["data"]) for one in manifests if one["kind"] == "ConfigMap"}
    for owner, pod in _pods(manifests):
        for kind, name, key in references(pod):
            if kind == "Secret" and made is None:
                continue
            if name not in there[kind]:
                yield f"{owner}: {kind} {name} is made by nobody"
            elif key is not None and key not in keys[kind, name]:
                yield f"{owner}: {kind} {name} has no {key}"
    for manifest in manifests:
        for tls in manifest["spec"].get("tls", []) if manifest["kind"] == "Ingress" else ():
            if made is not None and tls["secretName"] not in made:
                yield f"{label(manifest)}: Secret {tls['secretName']} is made by nobody"


def selectors_match(manifests: list[Manifest]) -> Iterator[str]:
    """Services, budgets, autoscalers, ingresses and spreads are about pods that there are, at ports that these have."""
    pods = dict(_pods(manifests))
    for manifest in manifests:
        look = _SELECTORS.get(manifest["kind"])
        if look is not None and (wrong := look(manifest, manifests, pods)) is not None:
            yield f"{label(manifest)}: {wrong}"


def _own_pods(manifest: Manifest, manifests: list[Manifest], pods: dict[str, Manifest]) -> str | None:
    pod = pods[label(manifest)]
    spreads = (one["labelSelector"] for one in pod["spec"].get("topologySpreadConstraints", []))
    matches = all(selects(selector, pod["metadata"]["labels"]) for selector in [manifest["spec"]["selector"], *spreads])
    return None if matches else "selects other pods than its own"


def _service(manifest: Manifest, manifests: list[Manifest], pods: dict[str, Manifest]) -> str | None:
    found = [pod for pod in pods.values() if selects({"matchLabels": manifest["spec"]["selector"]}, pod["metadata"]["labels"])]
    ports = {port["name"] for pod in found for one in containers(pod) for port in one.get("ports", [])}
    matches = found and {port["targetPort"] for port in manifest["spec"]["ports"]} <= ports
    return None if matches else "no pod has its labels and ports"


def _budget(manifest: Manifest, manifests: list[Manifest], pods: dict[str, Manifest]) -> str | None:
    about = any(selects(manifest["spec"]["selector"], pod["metadata"]["labels"]) for pod in pods.values())
    return None if about else "is about no pod"


def _autoscaler(manifest: Manifest, manifests: list[Manifest], pods: dict[str, Manifest]) -> str | None:
    target = f"{manifest['spec']['scaleTargetRef']['kind']}/{manifest['spec']['scaleTargetRef']['name']}"
    if target not in pods:
        return f"scales {target}, which there is not"
    fixed = any(label(one) == target and "replicas" in one["spec"] for one in manifests)
    return f"{target} sets a number of replicas itself" if fixed else None


def _ingress(manifest: Manifest, manifests: list[Manifest], pods: dict[str, Manifest]) -> str | None:
    services = [one for one in manifests if one["kind"] == "Service"]
    there = {(one["metadata"]["name"], port["name"]) for one in services for port in one["spec"]["ports"]}
    paths = [path for rule in manifest["spec"]["rules"] for path in rule["http"]["paths"]]
    asked = {(path["backend"]["service"]["name"], path["backend"]["service"]["port"]["name"]) for path in paths}
    return None if asked <= there else f"there is no service with such a port: {sorted(asked - there)}"


_SELECTORS = {
    "Deployment": _own_pods,
    "StatefulSet": _own_pods,
    "Service": _service,
    "PodDisruptionBudget": _budget,
    "HorizontalPodAutoscaler": _autoscaler,
    "Ingress": _ingress,
}


def denied_by_default(manifests: list[Manifest]) -> Iterator[str]:
    """Nobody may talk to anybody, both ways, but for what is named; nothing named lets everybody in."""
    policies = [one for one in manifests if one["kind"] == "NetworkPolicy"]
    everything = [one for one in policies if one["spec"]["podSelector"] == {} and not one["spec"].keys() & {"ingress", "egress"}]
    if not any(set(one["spec"]["policyTypes"]) == {"Ingress", "Egress"} for one in everything):
        yield "no policy denies everything to everybody"
    for policy in policies:
        for way, peers in (("ingress", "from"), ("egress", "to")):
            for rule in policy["spec"].get(way, []):
                if not rule.get(peers) or not rule.get("ports"):
                    yield f"{label(policy)}: a rule of its {way} names no {peers} or no ports"
                for peer in rule.get(peers, []):
                    if peer.get("namespaceSelector") == {} or (peer.get("podSelector") == {} and len(peer) == 1):
                        yield f"{label(policy)}: its {way} opens to everybody"


def least_rights(manifests: list[Manifest]) -> Iterator[str]:
    """A token of Kubernetes only where a role says what for; a service account of its own for each; no wild card."""
    bound = {
        subject["name"] for one in manifests if one["kind"] in ("RoleBinding", "ClusterRoleBinding") for subject in one["subjects"]
    }
    for manifest in manifests:
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        if kind == "ServiceAccount" and manifest.get("automountServiceAccountToken", True) and name not in bound:
            yield f"{label(manifest)}: gets a token without a role"
        if kind in ("ClusterRole", "ClusterRoleBinding"):
            yield f"{label(manifest)}: reaches beyond the namespace"
        for rule in manifest.get("rules", []) if kind == "Role" else ():
            if "*" in rule["verbs"] + rule["resources"] + rule["apiGroups"]:
                yield f"{label(manifest)}: a rule has a wild card"
            if "secrets" in rule["resources"] and not rule.get("resourceNames"):
                yield f"{label(manifest)}: reads every secret"
    for name, pod in _pods(manifests):
        if pod["spec"].get("serviceAccountName", "default") == "default":
            yield f"{name}: runs as the namespace's default account"
        if pod["spec"].get("automountServiceAccountToken", True):
            yield f"{name}: gets a token of Kubernetes"


def in_one_namespace(manifests: list[Manifest]) -> Iterator[str]:
    """All of it lies in the namespace `dermacare`."""
    for manifest in manifests:
        if manifest["kind"] != "Namespace" and manifest["metadata"].get("namespace") != "dermacare":
            yield f"{label(manifest)}: lies in another namespace"


RULES: tuple[Rule, ...] = (
    restricted,
    bounded,
    exact_images,
    no_secrets,
    probed,
    updates_lose_nothing,
    everything_referenced_exists,
    selectors_match,
    denied_by_default,
    least_rights,
    in_one_namespace,
)
