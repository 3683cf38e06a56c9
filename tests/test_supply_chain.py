"""What is installed is pinned and hashed; what the threat model promises has its test."""

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_LOCKS = sorted([*ROOT.glob("*.lock"), *ROOT.glob("mlflow/*.lock"), *ROOT.glob("infra/*/*.lock")])
_THREATS = ROOT / "docs" / "security.md"


def _entries(lock: Path) -> list[str]:
    """Each package with all that stands behind it."""
    text = re.sub(r"^\s*#.*\n", "", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [entry for entry in re.split(r"\n(?=\S)", text.strip()) if entry]


@pytest.mark.parametrize("lock", _LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_every_package_of_a_lock_has_hashes(lock: Path) -> None:
    entries = _entries(lock)
    assert len(entries) > 0
    assert [entry.splitlines()[0] for entry in entries if not re.search(r"==\S+[\s\S]*--hash=sha256:[0-9a-f]{64}", entry)] == []


@pytest.mark.parametrize("lock", _LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_no_lock_names_a_registry(lock: Path) -> None:
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", "\n".join(_entries(lock)))


def test_the_front_ends_packages_have_digests_and_no_address() -> None:
    packages = json.loads((ROOT / "dermacare" / "web" / "package-lock.json").read_text())["packages"]
    named = {name: one for name, one in packages.items() if name}
    assert [name for name, one in named.items() if "integrity" not in one] == []
    assert [name for name, one in named.items() if "resolved" in one] == []


def test_a_mitigation_names_a_test_that_there_is() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", _THREATS.read_text(encoding="utf-8"))
    assert len(named) > 30
    for file, name in named:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, f"{file}::{name}"


def test_a_threat_without_a_test_says_that_nothing_stops_it() -> None:
    rows = [row for row in _THREATS.read_text(encoding="utf-8").splitlines() if row.startswith("| ") and row.endswith("| |")]
    assert [row for row in rows if "nothing" not in row] == []
