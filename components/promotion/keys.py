"""The key that entries are signed with (Ed25519). It lies outside the ledger's store: whoever may write there cannot sign.

$DERMACARE_SIGNING_KEY names its file, by default `dermacare/signing.key` in the user's folder of settings; made when first needed,
for the user's eyes alone.
"""

import base64
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from components.errors import LedgerError

VARIABLE = "DERMACARE_SIGNING_KEY"


@dataclass(frozen=True)
class SigningKey:
    """A private key."""

    private: Ed25519PrivateKey

    @property
    def public(self) -> str:
        """The public half, base64."""
        raw = self.private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return base64.b64encode(raw).decode()

    def sign(self, digest: str) -> str:
        """Signature of an entry's hash, base64."""
        return base64.b64encode(self.private.sign(digest.encode())).decode()


def key_file() -> Path:
    """Where this user's key lies."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    settings = os.environ.get("XDG_CONFIG_HOME")
    return (Path(settings) if settings else Path.home() / ".config") / "dermacare" / "signing.key"


def own_key() -> SigningKey:
    """This user's key, made if there is none.

    Raises:
        LedgerError: the file cannot be read or written, or is no such key.
    """
    path = key_file()
    try:
        if not path.exists():
            _make(path)
        private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise LedgerError(f"{path}: is no key to sign with ({error}); name another file in {VARIABLE}, or move it away") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise LedgerError(f"{path}: is no Ed25519 key; name another file in {VARIABLE}, or move it away")
    return SigningKey(private)


def verifies(public: str, digest: str, signature: str) -> bool:
    """Whether a signature (base64) of an entry's hash is by the private half of a public key (base64)."""
    try:
        Ed25519PublicKey.from_public_bytes(base64.b64decode(public)).verify(base64.b64decode(signature), digest.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def fingerprint(public: str) -> str:
    """What people call a public key: the first 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(public.encode()).hexdigest()[:16]


def _make(path: Path) -> None:
    """Write a new key; of two processes that do so at once, one wins."""
    text = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    try:
        os.link(unfinished, path)  # unlike a rename, it never replaces the key of another
    except FileExistsError:
        pass
    finally:
        unfinished.unlink()
