"""The chain of a model, typed: version and files, run, data, code, decisions. What is not known is None, and `unknown` says why."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from components.promotion.entries import Verdict


class _Values(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Model(_Values):
    """The model itself.

    Attributes:
        version: as which it is registered, `lesion-classifier/7`; None: it is not.
        aliases: that point at the version.
        name: as its run calls it.
        digest: SHA-256 of its bundle.json, which holds that of each other file; None: not known.
        files: name of each file of the bundle → its SHA-256; empty: not known.
        parent: the version that it was trained on from; None: it was not.
        phantom: whether any of its data was drawn; None: not known.
    """

    version: str | None
    aliases: tuple[str, ...] = ()
    name: str
    digest: str | None
    files: Mapping[str, str] = {}
    parent: str | None = None
    phantom: bool | None = None


class Training(_Values):
    """The run that published the model, and the training.

    Attributes:
        run_id: our id of the run that published it first.
        trained_in: our id of the run that trained it, where that is another; None: it is the same.
        profile: of the run, or empty.
        started, ended: of the run, ISO 8601, UTC; None: not known.
        status: as MLflow has it: FINISHED, FAILED, KILLED, RUNNING; None: not known.
        step_key: of the training in the step store; None: not known.
        machines: on which it was trained; empty: not known.
        libraries: name → version; empty: not known.
        seeds: parameter → seed.
        params: all parameters of the run, flat: `train_unet.epochs` → `30`; empty: not known.
    """

    run_id: str
    trained_in: str | None = None
    profile: str = ""
    started: str | None = None
    ended: str | None = None
    status: str | None = None
    step_key: str | None = None
    machines: tuple[str, ...] = ()
    libraries: Mapping[str, str] = {}
    seeds: Mapping[str, str] = {}
    params: Mapping[str, str] = {}


class Data(_Values):
    """The data that it learned from and was judged on.

    Attributes:
        version: see `components.dataset.data_version`; None: not known.
        images: see `components.provenance.images`; None: not known.
        revision: where DVC has it: `dvc:repository:path@commit` of each source, or `data/validate <MD5>.dir` of dvc.lock; None: it
            does not, or it is not known.
        sources: as they were named to the run; empty: not known.
    """

    version: str | None
    images: str | None
    revision: str | None
    sources: str


class Code(_Values):
    """The code that trained it.

    Attributes:
        commit: of git; None: it was no clone, or it is not known.
        dirty: whether the code differed from that commit; None: not known.
        digest: of the training step's code and lock, see `components.store.code_digest`; None: not known.
        lock: SHA-256 of requirements.lock; None: not known.
    """

    commit: str | None
    dirty: bool | None
    digest: str | None
    lock: str | None


class Act(_Values):
    """An entry of the ledger that is about the version.

    Attributes:
        number, hash: of the entry.
        time: ISO 8601, UTC.
        actor, key: who signed it: user and host, and the fingerprint of the key.
        what: `judged: needs approval`, `approve; serves from here on`, `reject`, `serves no more`.
        reason: one sentence without its full stop.
    """

    number: int
    hash: str
    time: str
    actor: str
    key: str
    what: str
    reason: str


class Decisions(_Values):
    """What was made of it.

    Attributes:
        outcome: the last judgement's: `promote`, `needs approval`, `refuse`, `serves already`; None: it was never judged.
        policy: name and SHA-256 of the policy that judged; None: not known.
        gates: what each gate said.
        approvals: how many persons the policy asked for.
        approvers: who approved it since: user and host, the fingerprint of the key, the entry, the reason.
        serves: whether it serves now.
        acts: every entry of the ledger about it, the oldest first.
    """

    outcome: str | None
    policy: str | None
    gates: tuple[Verdict, ...] = ()
    approvals: int = 0
    approvers: tuple[str, ...] = ()
    serves: bool = False
    acts: tuple[Act, ...] = ()


class Chain(_Values):
    """All of it.

    Attributes:
        unknown: what is not known (`data.revision`) → why, one sentence without its full stop.
        astray: where two records contradict each other; sentences without their full stop.
    """

    model: Model
    training: Training
    data: Data
    code: Code
    decisions: Decisions
    unknown: Mapping[str, str] = {}
    astray: tuple[str, ...] = ()
