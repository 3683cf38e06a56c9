"""`dermacare retrain`: whether the data changed, what it brings, what came out, and who is told."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

from components.errors import DermaCareError, ParamsError
from components.files import write_text
from components.params import Resolved, load_params
from components.remote_store import RemoteStore
from dermacare.cluster_command import reach_cluster
from dermacare.console import console
from pipelines.home import Home
from pipelines.retraining.notices import Notices
from pipelines.retraining.result import Result, State
from pipelines.retraining.retrain import Asked, note_told, retrain
from pipelines.retraining.turn import turn
from pipelines.runner import Runner, check_runner
from pipelines.runs import RunRecord, RunState
from pipelines.start import Prepared
from pipelines.withdrawn_list import share_withdrawn


def retrain_models(
    *,
    if_changed: bool,
    profile: str | None,
    data: Sequence[str],
    assignments: Sequence[str],
    file: Path | None,
    start_from: Sequence[str],
    crop_by: str | None,
    runner: Runner,
    wait: bool,
    markdown: Path | None,
    as_json: bool,
) -> int:
    """Carry out `dermacare retrain`; returns the exit code."""
    home = Home.here()
    with redirect_stdout(sys.stderr) if as_json else nullcontext(), _failures_told(as_json):
        check_runner(runner)
        resolved = load_params(file, profile=profile, data=data, assignments=assignments)

        def ask() -> Asked:
            return _asked(home, resolved, if_changed, profile, start_from, crop_by, runner)

        with turn(home, wait=wait, tell=_say):
            notices = Notices(home)
            _complain(notices.catch_up())
            result = _retrained(home, ask, notices)
            for line in result.lines():
                _say(line)
            if markdown is not None:
                write_text(markdown, _markdown(home, result))
            if result.state is not State.UNCHANGED:
                _complain(notices.tell(result.message()))
            note_told(home)
    if as_json:
        print(json.dumps(result.values(), indent=1, ensure_ascii=False))
    return result.state.exit_code


def _asked(
    home: Home,
    resolved: Resolved,
    if_changed: bool,
    profile: str | None,
    start_from: Sequence[str],
    crop_by: str | None,
    runner: Runner,
) -> Asked:
    # Before anything is read: what cannot be trained on need not be looked at.
    kubeflow = reach_cluster(home, resolved.params) if runner is Runner.CLUSTER else None

    def prepared() -> Prepared:
        from dermacare.run_command import plan_run

        return plan_run(home, resolved, profile=profile, start_from=start_from, crop_by=crop_by, runner=runner, kubeflow=kubeflow)

    def carried_out(planned: Prepared) -> RunRecord:
        from dermacare.run_command import carry_out
        from pipelines.publish import check_tracking

        if kubeflow is None:
            check_tracking(home, resolved.params)
        record = carry_out(home, planned, kubeflow)
        if record.state is not RunState.DONE:
            raise KeyboardInterrupt
        return record

    return Asked(resolved.params, if_changed, prepared, carried_out, _say)


def _retrained(home: Home, ask: Callable[[], Asked], notices: Notices) -> Result:
    """What came of it; that it failed is told too, and raised."""
    try:
        share_withdrawn(home, RemoteStore.here())
        result = retrain(home, ask())
    except ParamsError:
        raise
    except DermaCareError as error:
        _complain(notices.tell_failure(str(error).splitlines()[0]))
        raise
    notices.fails_no_more()
    return result


@contextmanager
def _failures_told(as_json: bool) -> Iterator[None]:
    """Have a failure be one object on stdout, too."""
    stdout = sys.__stdout__
    try:
        yield
    except DermaCareError as error:
        if as_json:
            values: dict[str, Any] = {"state": State.FAILED.value, "exit_code": error.exit_code, "reason": str(error)}
            print(json.dumps(values, indent=1, ensure_ascii=False), file=stdout)
        raise


def _markdown(home: Home, result: Result) -> str:
    """What came out, for a pull request: the lines, the gates, what changed of the data, challenger beside champion."""
    from components.compare.markdown import table_of

    parts = [f"## Retraining: {result.state.value}", "\n".join(f"- {line}" for line in result.lines()[1:])]
    for model in result.models:
        rows = [(one.gate, "holds" if one.holds else "does not hold", one.sentence) for one in model.decision.verdicts]
        parts += [f"### Gates of {model.version.label}", table_of(("gate", "", "why"), rows, figures=False)] if rows else []
    before, after = result.folders
    if before is not None and after is not None:
        parts.append(_data(before, after))
    parts += [
        _compared(home, model.decision.champion.label, model.version.label) for model in result.models if model.decision.champion
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _data(before: Path, after: Path) -> str:
    from dataclasses import replace

    from dermacare.data_diff_command import write_markdown
    from pipelines.data.diff import compare
    from pipelines.data.versions import open_version

    one, other = replace(open_version(str(before)), name="before"), replace(open_version(str(after)), name="now")
    return write_markdown(compare(one.dataset.manifest, other.dataset.manifest), one, other)


def _compared(home: Home, champion: str, challenger: str) -> str:
    """The two beside each other; what is in the way of it is said in its place."""
    from components.compare.markdown import write_markdown
    from pipelines.compare import Targets, compared

    targets = Targets(home)
    try:
        first, second = targets.find(champion), targets.find(challenger)
        if first is None or second is None or champion == challenger:
            return ""
        with compared(targets, first, second) as comparison:
            return write_markdown(comparison)
    except DermaCareError as error:
        return f"{challenger} could not be compared with {champion}: {error}"


def _complain(failures: Sequence[str]) -> None:
    for failure in failures:
        console.print(f"{failure}: not everybody was told; the next `dermacare retrain` tries again", style="yellow", markup=False)


def _say(line: str) -> None:
    console.print(line, markup=False)
