"""How a server is set, in one place."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from components.cores import usable_cores
from dermacare.api import limits
from pipelines.home import Home

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True)
class Settings:
    """A server.

    Attributes:
        home: where state lies.
        host: address that it listens on.
        keys: SHA-256 of a key, hexadecimal → whose it is; None: nobody is asked for a key.
        proxy_header: header in which an identity proxy names the user; None: there is no proxy.
        threads: that one answer of a slow network takes.
        answering: images that are answered at once.
        decoding: images that are decoded at once.
        waiting: requests for predictions that are in progress at once; one more is told to come again.
        decode_seconds: that an image may take to be decoded.
        look_seconds: between two looks at the ledger.
    """

    home: Home
    host: str = "127.0.0.1"
    keys: Mapping[str, str] | None = None
    proxy_header: str | None = None
    threads: int = field(default_factory=usable_cores)
    answering: int = 2
    decoding: int = 2
    waiting: int = limits.WAITING
    decode_seconds: float = limits.DECODE_SECONDS
    look_seconds: float = 5.0

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in LOOPBACK

    @property
    def anybody_may_ask(self) -> bool:
        """Whether nobody is asked who he is, as on loopback alone."""
        return self.keys is None and self.proxy_header is None
