"""API keys: long random words, of which the server keeps the SHA-256 alone.

A key has 256 random bits, so that its plain hash cannot be guessed from; a password would need a slow one.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from components.errors import MachineError

VARIABLE = "DERMACARE_API_KEYS"

_REMEDY = "`dermacare serve-key NAME` prints a line for it"
_LINE = re.compile(r"([0-9a-f]{64})\s+(\S.*)")


def new_key() -> str:
    """A key that nobody has."""
    return secrets.token_urlsafe(32)


def digest_of(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def read_keys(path: Path) -> dict[str, str]:
    """Read a file of lines `<SHA-256 of a key> <whose it is>`; empty lines and those that begin with # say nothing.

    Returns:
        SHA-256 → whose.

    Raises:
        MachineError: the file cannot be read, has another line, or no key.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MachineError(
            f"{VARIABLE}: {path} cannot be read ({error}); `dermacare serve-key NAME` prints a line for it"
        ) from error
    keys = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise MachineError(f"{path}: line {number} is no SHA-256 and a name, and no key itself belongs here; {_REMEDY}")
        keys[match[1]] = match[2]
    if not keys:
        raise MachineError(f"{path}: holds no key, so that nobody could ask; {_REMEDY}")
    return keys


def owner_of(key: str, keys: Mapping[str, str]) -> str | None:
    """Whose key it is; None: nobody's. It takes as long for a wrong one as for a right one."""
    given, owner = digest_of(key), None
    for digest, name in keys.items():
        if hmac.compare_digest(given, digest):
            owner = name
    return owner
