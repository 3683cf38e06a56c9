"""Telling people outside: a webhook, a command, or both, as the environment says; where it says nothing, nobody is told.

    DERMACARE_WEBHOOK           an http(s) address; it gets each message as a JSON POST: id, event, summary, details
    DERMACARE_NOTIFY_COMMAND    a command line, split as a shell would; it gets the summary on stdin, and DERMACARE_EVENT,
                                DERMACARE_MESSAGE (the id) in its environment

What is to be told has happened already, so that a failure here is a sentence and never an error. Nothing else is contacted. An
address or a command may hold a secret: neither is ever repeated, and of a message every `user:password@` is cut.
"""

import json
import os
import shlex
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

from components.files import sha256_bytes
from components.tracking import without_credentials

WEBHOOK = "DERMACARE_WEBHOOK"
COMMAND = "DERMACARE_NOTIFY_COMMAND"

# A receiver that restarts is back within half a minute.
_PAUSES = (1.0, 5.0, 20.0)
_SECONDS = 15


@dataclass(frozen=True)
class Message:
    """What is to be told.

    Attributes:
        event: what happened, one word: `promoted`, `waiting`, `refused`, `failed`.
        summary: a few lines for people.
        details: plain values for programs.
    """

    event: str
    summary: str
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The same for the same message, 16 hexadecimal digits: who gets one twice can tell."""
        return sha256_bytes(self._text("").encode())[:16]

    @property
    def body(self) -> str:
        """As it is posted: JSON, without credentials of addresses."""
        return self._text(self.id)

    def _text(self, id_: str) -> str:
        values = {"id": id_, "event": self.event, "summary": self.summary, "details": dict(self.details)}
        return without_credentials(json.dumps(values, ensure_ascii=False, sort_keys=True))


def notify(
    event: str,
    summary: str,
    details: Mapping[str, Any] | None = None,
    *,
    to: Sequence[str] | None = None,
    pauses: Sequence[float] | None = None,
) -> list[str]:
    """Tell everybody whom the environment names; each is tried again after a pause.

    Args:
        event: see `Message`.
        summary: see `Message`.
        details: see `Message`; values that JSON has.
        to: which of `receivers` alone; None: all.
        pauses: seconds to wait before each further attempt; None: 1, 5 and 20.

    Returns:
        Why somebody was not told, each a sentence without its full stop that begins with the variable's name; empty: all were, or
        there is nobody.
    """
    message = Message(event, summary, details or {})
    ways: dict[str, Callable[[str, Message], str]] = {WEBHOOK: _post, COMMAND: _run}
    said = [
        _tried(ways[name], name, message, _PAUSES if pauses is None else pauses) for name in receivers() if to is None or name in to
    ]
    return [f"{name}: {reason}" for name, reason in said if reason]


def receivers() -> list[str]:
    """The variables by which the environment names somebody to tell."""
    return [name for name in (WEBHOOK, COMMAND) if os.environ.get(name)]


def _tried(way: Callable[[str, Message], str], name: str, message: Message, pauses: Sequence[float]) -> tuple[str, str]:
    target = os.environ[name]
    reason = way(target, message)
    for pause in pauses:
        if not reason:
            break
        time.sleep(pause)
        reason = way(target, message)
    return name, reason


def _post(address: str, message: Message) -> str:
    """Why the webhook did not take the message; empty: it did."""
    if not address.startswith(("http://", "https://")):
        return "is no http:// or https:// address; mend it"
    headers = {"Content-Type": "application/json", "User-Agent": "dermacare"}
    try:
        request = urllib.request.Request(address, message.body.encode(), headers, method="POST")  # noqa: S310  (looked at)
        with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310
            return ""
    except urllib.error.HTTPError as error:
        return f"did not take the message (HTTP {error.code})"
    except (OSError, HTTPException, ValueError) as error:
        # Its text may repeat the address.
        return f"did not take the message ({type(getattr(error, 'reason', error)).__name__})"


def _run(command: str, message: Message) -> str:
    """Why the command did not take the message; empty: it did."""
    environment = os.environ | {"DERMACARE_EVENT": message.event, "DERMACARE_MESSAGE": message.id}
    try:
        words = shlex.split(command)
        done = subprocess.run(
            words, input=f"{without_credentials(message.summary)}\n".encode(), env=environment, capture_output=True, timeout=60
        )
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        return f"could not be run ({type(error).__name__})"
    return f"ended with {done.returncode}" if done.returncode else ""
