"""What people are told, each thing once: a failure is kept, and tried again by the next retraining.

    $DERMACARE_HOME/retrain/notices/<id>.json   not told yet to everybody, and to whom not
    $DERMACARE_HOME/retrain/notices/<id>.told   told
    $DERMACARE_HOME/retrain/failing             since when retraining fails; not there: it did not fail the last time

Killed between the telling and the note of it, the next retraining tells it again, under the same id.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.files import write_text
from components.notify import Message, notify, receivers
from pipelines.home import Home


class Notices:
    """The notices of a home."""

    def __init__(self, home: Home) -> None:
        self._folder = home.root / "retrain" / "notices"
        self._failing = home.root / "retrain" / "failing"

    def tell(self, message: Message) -> list[str]:
        """Tell everybody whom the environment names, unless they know it; why somebody was not told, each a sentence."""
        if not receivers() or self._told(message.id).exists():
            return []
        if not self._due(message.id).exists():
            self._keep(message, receivers())
        return self._send(self._due(message.id))

    def catch_up(self) -> list[str]:
        """Tell what earlier retrainings could not, each once more; why somebody was not told."""
        return [sentence for due in sorted(self._folder.glob("*.json")) for sentence in self._send(due, pauses=())]

    def tell_failure(self, reason: str) -> list[str]:
        """Tell that retraining failed, each reason once until it ends otherwise; why somebody was not told."""
        if not self._failing.exists():
            write_text(self._failing, datetime.now(UTC).isoformat())
        details = {"state": "failed", "reason": reason, "since": self._failing.read_text(encoding="utf-8")}
        return self.tell(Message("failed", f"DermaCare could not retrain\n{reason}", details))

    def fails_no_more(self) -> None:
        """Note that retraining ended otherwise: what fails from now on is told, though it was told before."""
        self._failing.unlink(missing_ok=True)

    def _send(self, due: Path, **more: Any) -> list[str]:
        kept: Mapping[str, Any] = json.loads(due.read_text(encoding="utf-8"))
        message = Message(kept["event"], kept["summary"], kept["details"])
        failures = notify(message.event, message.summary, message.details, to=kept["to"], **more)
        # Nor does somebody know it whom the environment names no more, or not here: an engineer's shell lacks what cron's has.
        unnamed = [name for name in kept["to"] if name not in receivers()]
        unknowing = [*(sentence.partition(":")[0] for sentence in failures), *unnamed]
        if unknowing:
            self._keep(message, unknowing)
        else:
            due.replace(self._told(message.id))
        return failures

    def _keep(self, message: Message, to: Sequence[str]) -> None:
        values = {"event": message.event, "summary": message.summary, "details": dict(message.details), "to": list(to)}
        write_text(self._due(message.id), json.dumps(values, ensure_ascii=False) + "\n")

    def _due(self, id_: str) -> Path:
        return self._folder / f"{id_}.json"

    def _told(self, id_: str) -> Path:
        return self._folder / f"{id_}.told"
