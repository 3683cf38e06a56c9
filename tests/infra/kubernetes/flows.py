"""Who may talk to whom, as the network policies of an overlay say: both ends must let a connection through."""

from collections.abc import Iterator

from tests.infra.kubernetes.manifests import Manifest, containers, selects, template
from tests.infra.kubernetes.policy import STEPS

OUTSIDE = {"ingress": {"dermacare/ingress": "true"}, "monitoring": {"dermacare/monitoring": "true"}, "elsewhere": {}}
"""Namespaces that are not ours, by their labels."""


def flows(manifests: list[Manifest]) -> set[tuple[str, str, str]]:
    """All (from, to, port) between pods of the overlay, pods of the pipeline and pods of other namespaces that are let through."""
    policies = [one["spec"] for one in manifests if one["kind"] == "NetworkPolicy"]
    pods = {pod["metadata"]["labels"]["app.kubernetes.io/name"]: pod for pod in map(template, manifests) if pod}
    labels = {name: pod["metadata"]["labels"] for name, pod in pods.items()} | {"steps": STEPS}
    found = set()
    for to, pod in pods.items():
        for port in (port for container in containers(pod) for port in container.get("ports", [])):
            for source, own in labels.items():
                if _out(policies, own, labels[to], port) and _in(policies, labels[to], own, None, port):
                    found.add((source, to, port["name"]))
            for source, namespace in OUTSIDE.items():
                if _in(policies, labels[to], {}, namespace, port):
                    found.add((source, to, port["name"]))
    return found


def _out(policies: list[Manifest], own: dict[str, str], other: dict[str, str], port: Manifest) -> bool:
    return any(_lets(rule, "to", other, None, port) for rule in _rules(policies, own, "egress"))


def _in(
    policies: list[Manifest], own: dict[str, str], other: dict[str, str], namespace: dict[str, str] | None, port: Manifest
) -> bool:
    return any(_lets(rule, "from", other, namespace, port) for rule in _rules(policies, own, "ingress"))


def _rules(policies: list[Manifest], own: dict[str, str], way: str) -> Iterator[Manifest]:
    """The rules of all policies about a pod; there is always one that says nothing but no."""
    for policy in policies:
        if selects(policy["podSelector"], own):
            yield from policy.get(way, [])


def _lets(rule: Manifest, peers: str, other: dict[str, str], namespace: dict[str, str] | None, port: Manifest) -> bool:
    if not any(one["port"] in (port["name"], port["containerPort"]) for one in rule["ports"]):
        return False
    return any(_is(peer, other, namespace) for peer in rule[peers])


def _is(peer: Manifest, labels: dict[str, str], namespace: dict[str, str] | None) -> bool:
    """Whether a pod with such labels, in our namespace or in one with such labels, is meant."""
    if "namespaceSelector" in peer:
        return namespace is not None and selects(peer["namespaceSelector"], namespace)
    return namespace is None and "podSelector" in peer and selects(peer["podSelector"], labels)
