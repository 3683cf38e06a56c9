"""Whose signatures count: `signers` of mlflow/promotion.yaml.

Counted are keys, not persons: that each belongs to one person, and that nobody holds two, is what whoever reviews the file sees to.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator

from components.errors import LedgerError
from components.promotion.entries import Action, Entry, Release
from components.promotion.keys import fingerprint


class Signer(BaseModel):
    """A key, and what it may sign."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(description="public, as `dermacare history --key` prints it")
    may: Literal["decide", "judge"] = Field("decide", description="judge: write down what the policy makes of a run, no more")
    until: int | None = Field(None, ge=0, description="last entry that it counts for: of somebody who left, or of a lost key")

    @model_validator(mode="before")
    @classmethod
    def _from_key(cls, value: Any) -> Any:
        """A key alone stands for one that may do everything."""
        return {"key": value} if isinstance(value, str) else value

    def may_sign(self, action: Action) -> bool:
        """Whether it may sign an entry of this kind; one that may only judge signs none from which on something else serves."""
        return self.may == "decide" or action is Action.DECIDE


class Signers(RootModel[dict[str, Signer]]):
    """Name → signer; empty: everybody's signature counts."""

    model_config = ConfigDict(frozen=True)

    def trusts(self, entry: Entry, before: Release) -> bool:
        """Whether an entry is signed by somebody who might.

        Args:
            entry: the entry.
            before: what served before it.
        """
        return not self.root or any(
            one.key == entry.key
            and one.may_sign(entry.action)
            and (one.may == "decide" or entry.release == before)
            and (one.until is None or entry.number <= one.until)
            for one in self.root.values()
        )

    def decides(self, key: str) -> bool:
        """Whether what a key judges may serve at once, where the policy asks for no person."""
        return not self.root or any(one.key == key and one.until is None and one.may == "decide" for one in self.root.values())

    def require(self, key: str, action: Action) -> None:
        """Refuse a key that may not sign an entry of this kind from now on.

        Raises:
            LedgerError: it may not.
        """
        if not self.root:
            return
        mine = [one for one in self.root.values() if one.key == key and one.until is None]
        if not mine:
            raise LedgerError(
                f"mlflow/promotion.yaml: signers does not list your key {fingerprint(key)}, and whom it does not list may sign "
                "nothing; `dermacare history --key` prints it, for whoever changes that file"
            )
        if not any(one.may_sign(action) for one in mine):
            raise LedgerError(
                f"mlflow/promotion.yaml: signers lets your key {fingerprint(key)} judge runs, no more; somebody who may decide "
                "must do this"
            )
