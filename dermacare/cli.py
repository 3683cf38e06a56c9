"""The command line. Heavy packages are imported inside the commands that need them, so that `--help` answers at once."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from components.errors import DermaCareError
from pipelines.runner import Runner

app = typer.Typer(
    help="Skin-lesion models, from images to a promoted, tracked version. State lies under $DERMACARE_HOME (default .dermacare/).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
runs_app = typer.Typer(help="What runs and what ran.", no_args_is_help=False)
app.add_typer(runs_app, name="runs")
data_app = typer.Typer(help="The data and its versions.", no_args_is_help=True)
app.add_typer(data_app, name="data")
study_app = typer.Typer(help="Questions to the data and the recipe.", no_args_is_help=True)
app.add_typer(study_app, name="study")

Profile = Annotated[str | None, typer.Option("--profile", "-p", help="Profile that overrides params.yaml.", show_default=False)]
Data = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        "-d",
        help="Source of images: `phantom`, a folder, `isic:2019`, `s3://…`, `dvc:…` (docs/sources.md); repeat for several.",
    ),
]
Assignments = Annotated[list[str] | None, typer.Option("--set", "-s", help="section.key=value; repeat for several.")]
ParamsFile = Annotated[
    Path | None, typer.Option("--params", help="The params.yaml to read; by default ./params.yaml, else the packaged one.")
]
From = Annotated[
    list[str] | None,
    typer.Option(
        "--from",
        metavar="VERSION",
        help="Train on from a registered version, all layers: `7`, `production`, `lesion-classifier/7`; repeat for several. It is "
        "for models of its architecture; the others start as the recipe says.",
    ),
]
CropBy = Annotated[
    str | None,
    typer.Option(
        metavar="VERSION",
        help="Crop classifier images to the lesion that a registered segmenter finds: `3`, `production`, `lesion-segmenter/3`.",
    ),
]
RunnerOption = Annotated[Runner, typer.Option("--runner", help="Where the steps run.")]
RunId = Annotated[str | None, typer.Argument(help="The run's id; by default the newest run.", show_default=False)]


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; works at any place of the line.")] = False,
) -> None:
    """See the module; `--debug` itself is read by `main`."""


@app.command()
def run(
    profile: Profile = None,
    data: Data = None,
    assignments: Assignments = None,
    file: ParamsFile = None,
    start_from: From = None,
    crop_by: CropBy = None,
    runner: RunnerOption = Runner.SUBPROCESS,
    plan: Annotated[bool, typer.Option("--plan", help="Say which steps would run, and why; run nothing.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Do everything again, whatever is done already.")] = False,
    offline: Annotated[
        bool,
        typer.Option("--offline", help="Send nothing to MLflow and register nothing; the same command without it does so later."),
    ] = False,
) -> None:
    """Run the pipeline: images in, a registered and promoted model out."""
    from dermacare.extras import require

    require("steps", "orchestrate", *(["train"] if runner is Runner.SUBPROCESS and not plan else []))
    from dermacare.run_command import run_pipeline

    raise typer.Exit(
        run_pipeline(
            profile=profile,
            data=data or [],
            assignments=assignments or [],
            file=file,
            start_from=start_from or [],
            crop_by=crop_by,
            runner=runner,
            plan_only=plan,
            fresh=fresh,
            offline=offline,
        )
    )


@app.command()
def retrain(
    if_changed: Annotated[
        bool, typer.Option("--if-changed", help="Do nothing where the data version is that of what serves.", show_default=False)
    ] = False,
    profile: Profile = None,
    data: Data = None,
    assignments: Assignments = None,
    file: ParamsFile = None,
    start_from: From = None,
    crop_by: CropBy = None,
    runner: RunnerOption = Runner.SUBPROCESS,
    wait: Annotated[bool, typer.Option("--wait", help="Where somebody retrains in this home already, wait.")] = False,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="Write what came out, for a pull request.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one object for scripts; the rest goes to stderr.")] = False,
) -> None:
    """Retrain on new data, unless it is poisoned. Ends with 0: unchanged, 10: promoted, 20: waiting for approval, 30: refused."""
    from dermacare.extras import require

    require("steps", "train", "orchestrate")
    from dermacare.retrain_command import retrain_models

    raise typer.Exit(
        retrain_models(
            if_changed=if_changed,
            profile=profile,
            data=data or [],
            assignments=assignments or [],
            file=file,
            start_from=start_from or [],
            crop_by=crop_by,
            runner=runner,
            wait=wait,
            markdown=markdown,
            as_json=json,
        )
    )


@app.command("compile")
def compile_(
    output: Annotated[Path, typer.Option("--output", "-o", help="The YAML file to write.")],
    profile: Profile = None,
    data: Data = None,
    assignments: Assignments = None,
    file: ParamsFile = None,
    start_from: From = None,
    crop_by: CropBy = None,
) -> None:
    """Write the pipeline for a Kubeflow cluster, as its intermediate representation."""
    from components.params import load_params
    from pipelines.crop_by import find_crop, resolved_crop
    from pipelines.home import Home
    from pipelines.plan import check_models, source_fingerprint
    from pipelines.start_from import check_reachable, find_starts, started
    from pipelines.training import compile_pipeline

    home = Home.here()
    resolved = load_params(file, profile=profile, data=data or [], assignments=assignments or [])
    check_models(resolved.params)
    references = start_from or []
    params = resolved_crop(resolved, find_crop(home, resolved.params, crop_by, references)).params
    params = started(params, find_starts(home, params, references))
    check_reachable(home, params)
    compile_pipeline(params, source_fingerprint(params.ingest, home.root), output)
    typer.echo(f"{output}: written; upload it in Kubeflow's UI")


@app.command()
def schedule(
    cron: Annotated[
        str | None,
        typer.Option("--cron", help='When: minute, hour, day, month, weekday: "0 3 * * *"; left out, what is scheduled is listed.'),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Its name; by default after the profile.", show_default=False)] = None,
    remove: Annotated[str | None, typer.Option("--remove", metavar="NAME", help="Remove the one of this name.")] = None,
    profile: Profile = None,
    data: Data = None,
    assignments: Assignments = None,
    file: ParamsFile = None,
) -> None:
    """Run the pipeline by the clock, on a Kubeflow cluster; one of the same name is replaced."""
    from dermacare.extras import require

    require("steps", "orchestrate")
    from dermacare.schedule_command import schedule as arrange

    arrange(cron, name=name, remove=remove, profile=profile, data=data or [], assignments=assignments or [], file=file)


@app.command()
def step(
    name: Annotated[str, typer.Argument(help="The step, with the model's name for training: train_classifier/resnet50.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the output; what lies there is replaced.")],
    inputs: Annotated[list[str] | None, typer.Option("--input", "-i", help="argument=FOLDER; repeat for several.")] = None,
    profile: Profile = None,
    data: Data = None,
    assignments: Assignments = None,
    file: ParamsFile = None,
) -> None:
    """Run one step over folders; what any run has already computed is taken from the store. (dvc.yaml calls this.)"""
    from components.params import load_params
    from dermacare.step_command import run_one_step

    params = load_params(file, profile=profile, data=data or [], assignments=assignments or []).params
    run_one_step(name, params, inputs or [], out)


@app.command()
def params(
    profile: Profile = None,
    data: Data = None,
    assignments: Assignments = None,
    file: ParamsFile = None,
    start_from: From = None,
    crop_by: CropBy = None,
    yaml: Annotated[bool, typer.Option("--yaml", help="Print a params.yaml with these values instead of the table.")] = False,
) -> None:
    """Every parameter: value, type, range, where the value comes from, what it means."""
    from components.params import load_params
    from dermacare.params_command import show_params
    from pipelines.crop_by import find_crop, resolved_crop
    from pipelines.home import Home
    from pipelines.start_from import find_starts, resolved_with

    home = Home.here()
    references = start_from or []
    resolved = load_params(file, profile=profile, data=data or [], assignments=assignments or [])
    resolved = resolved_crop(resolved, find_crop(home, resolved.params, crop_by, references))
    show_params(resolved_with(resolved, find_starts(home, resolved.params, references)), as_yaml=yaml)


@app.command()
def doctor() -> None:
    """What this machine has and lacks."""
    from dermacare.doctor import examine

    raise typer.Exit(examine())


@app.command()
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 5000,
) -> None:
    """Serve the MLflow UI over this home's runs, on loopback; of a tracking server, say where it is."""
    from dermacare.ui_command import serve_mlflow

    serve_mlflow(port)


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: any free one.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on; another than loopback needs keys or a proxy.")] = "127.0.0.1",
    behind_proxy: Annotated[
        str | None,
        typer.Option(metavar="HEADER", help="Header in which an identity proxy in front names the user.", show_default=False),
    ] = None,
) -> None:
    """Serve the web app: API and pages, over the models that the ledger lets serve."""
    from dermacare.extras import require

    require("serve")
    from dermacare.serve_command import serve as start

    start(host, port, behind_proxy)


@app.command()
def predict(
    folder: Annotated[Path, typer.Argument(help="Folder of JPEG and PNG images; those below it count too.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for masks, overlays and predictions.csv.")],
) -> None:
    """Predict a folder of images by what serves; killed, the same command goes on from there."""
    from dermacare.extras import require

    require("serve")
    from dermacare.predict_command import predict as predict_all

    predict_all(folder, output)


@app.command("serve-key")
def serve_key(name: Annotated[str, typer.Argument(help="Whose key it is.")]) -> None:
    """Make an API key for `dermacare serve`: printed once, kept by its SHA-256."""
    from dermacare.extras import require

    require("serve")
    from dermacare.serve_command import print_key

    print_key(name)


@app.command()
def compare(
    a: Annotated[
        str,
        typer.Argument(
            help="A run's id; a version: `7`, `production`, `lesion-segmenter/3`; or a version of the data: eight digits of it, a "
            "git revision, a folder.",
            metavar="A",
        ),
    ],
    b: Annotated[
        str | None, typer.Argument(help="Another one; by default the newest of the same kind.", metavar="[B]", show_default=False)
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page with the images on which the two differ.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print it for scripts.")] = False,
) -> None:
    """Two runs, two versions of a model, or two versions of the data: figures, what differs, and the images."""
    from dermacare.compare_command import compare as show

    show(a, b, markdown=markdown, html=html, as_json=json)


@app.command()
def gc(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
) -> None:
    """List what nothing refers to any more, with sizes, and delete it on a yes."""
    from dermacare.gc_command import collect

    collect(yes=yes)


Version = Annotated[
    str | None,
    typer.Argument(metavar="[VERSION]", help="`lesion-classifier/7`; by default the only one that waits.", show_default=False),
]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Why, one sentence; it stands in the ledger.", prompt=True)]


@app.command()
def promote(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="`lesion-classifier/7`, or `7` where that is clear.")],
    reason: Reason,
) -> None:
    """Let a version serve that its gates, or persons, let through before."""
    from dermacare import promotion_command

    promotion_command.promote(version, reason)


@app.command()
def approve(reason: Reason, version: Version = None) -> None:
    """Approve a version that waits for it; then it serves."""
    from dermacare import promotion_command

    promotion_command.approve(version, reason)


@app.command()
def reject(reason: Reason, version: Version = None) -> None:
    """Reject a version that waits for approval."""
    from dermacare import promotion_command

    promotion_command.reject(version, reason)


@app.command()
def rollback(reason: Reason) -> None:
    """Let the release that served before serve again, classifier and segmenter."""
    from dermacare import promotion_command

    promotion_command.rollback(reason)


@app.command()
def history(
    verify: Annotated[bool, typer.Option("--verify", help="Look for edits and removals instead; 1 where there are any.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the entries for scripts.")] = False,
    key: Annotated[bool, typer.Option("--key", help="Print your own public key, for signers in mlflow/promotion.yaml.")] = False,
) -> None:
    """Every decision about what serves: when, who, what, why."""
    from dermacare import promotion_command

    raise typer.Exit(promotion_command.history(verify=verify, as_json=json, key=key))


@app.command()
def trace(
    name: Annotated[
        str,
        typer.Argument(
            metavar="VERSION|RUN|PREDICTION",
            help="`lesion-classifier/7`, `production`, `7`; a run's id: its best models; a prediction's id: what answered.",
        ),
    ],
    json: Annotated[bool, typer.Option("--json", help="Print it for scripts, every parameter and digest included.")] = False,
) -> None:
    """Where a model or an answer comes from: files, run, parameters, seeds, libraries, data, code, gates, who approved it."""
    from dermacare.trace_command import trace as show

    show(name, as_json=json)


@app.command()
def reproduce(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")],
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="The model; if left out, the best ones of the run.", show_default=False)
    ] = None,
    data: Annotated[
        list[str] | None, typer.Option("--data", "-d", help="Where its sources lie now; if left out, where they lay.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print what was compared for scripts.")] = False,
) -> None:
    """Repeat a training from its chain in a home of its own, and compare data and weights by their digests; 1 where they differ."""
    from dermacare.reproduce_command import reproduce as repeat

    raise typer.Exit(repeat(run, model, data or [], as_json=json))


@runs_app.callback(invoke_without_command=True)
def _runs(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_runs()


@runs_app.command("list")
def list_runs() -> None:
    """All runs of this home, oldest first."""
    from dermacare.runs_command import show_runs

    show_runs()


@runs_app.command("logs")
def logs(
    run: RunId = None,
    step: Annotated[str | None, typer.Option("--step", help="Only this step's log.")] = None,
) -> None:
    """What a run's steps printed."""
    from dermacare.runs_command import show_logs

    show_logs(run, step)


@runs_app.command("cancel")
def cancel(run: RunId = None) -> None:
    """Stop a run that goes on; the same command takes it up again later."""
    from dermacare.runs_command import cancel_run

    cancel_run(run)


@data_app.command("push")
def push_data() -> None:
    """Send the data that dvc.lock names to the remote; only what the remote lacks travels."""
    from dermacare.data_command import push

    push()


@data_app.command("pull")
def pull_data() -> None:
    """Fetch the data that dvc.lock names from the remote into data/."""
    from dermacare.data_command import pull

    pull()


@data_app.command("status")
def data_status() -> None:
    """What of the data is not committed, and what is not pushed."""
    from dermacare.data_command import show_status

    show_status()


@data_app.command("log")
def data_log() -> None:
    """The data's versions over the project's git history, newest first."""
    from dermacare.data_command import show_log

    show_log()


@data_app.command("diff")
def data_diff(
    a: Annotated[str, typer.Argument(help="A git revision, or a dataset folder.", metavar="[A]")] = "HEAD",
    b: Annotated[
        str | None, typer.Argument(help="Another one; by default data/ as it lies there.", metavar="[B]", show_default=False)
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page with the changed images, before and after.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print it for scripts.")] = False,
) -> None:
    """What changed between two versions of the data: images, labels, masks, splits."""
    from dermacare.data_diff_command import show_diff

    show_diff(a, b, markdown=markdown, html=html, as_json=json)


@data_app.command("audit")
def audit_data(
    folder: Annotated[
        Path | None, typer.Argument(help="An output of validate; if left out, the newest of this home.", show_default=False)
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option("--predictions", help="Out-of-fold predictions, CSV or Parquet; if left out, those of the newest run."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the pages; if left out, audit/ of this home.")] = None,
) -> None:
    """What of the data would flatter or mislead a model: leaks, shortcuts, doubtful labels, bad pictures, missing people."""
    from dermacare.data_audit_command import audit_data as audit

    audit(folder, predictions=predictions, out=out)


@data_app.command("withdraw")
def withdraw_data(
    ids: Annotated[list[str], typer.Argument(help="Ids of patients, lesions or images.", metavar="ID…")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept in withdrawn.csv.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Withdraw without asking.")] = False,
) -> None:
    """Remove images for good: from data, store, DVC's cache and remotes; list what it will touch first."""
    from dermacare.data_withdraw_command import withdraw

    withdraw(ids, reason=reason, yes=yes)


@study_app.callback()
def _study() -> None:
    """Keeps `leak` a command of its own though it is the only one."""


@study_app.command("leak")
def study_leak(
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Architecture; by default the first of train_classifier.models.")
    ] = None,
    profile: Profile = None,
    assignments: Assignments = None,
    file: ParamsFile = None,
) -> None:
    """What a leak is worth: one classifier trained twice, without and with other images of the test set's lesions.

    On the newest data of this home that was preprocessed as the parameters say. Killed, the same command goes on from there.
    """
    from components.params import load_params
    from dermacare.study_command import study_leak as study

    study(load_params(file, profile=profile, assignments=assignments or []).params, model)


def main() -> None:
    """Entry point: one sentence for an error of ours, the traceback with --debug; 2 for a wrong parameter, 130 for Ctrl-C."""
    debug = "--debug" in sys.argv
    if debug:
        os.environ["DERMACARE_DEBUG"] = "1"  # the steps' processes read it
    try:
        app(args=[argument for argument in sys.argv[1:] if argument != "--debug"], prog_name="dermacare")
    except DermaCareError as error:
        if debug:
            raise
        typer.secho("error: ", fg="red", bold=True, err=True, nl=False)
        typer.echo(str(error), err=True)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        from dermacare.extras import lacking

        sentence = lacking(error)
        if debug or sentence is None:
            raise
        typer.secho("error: ", fg="red", bold=True, err=True, nl=False)
        typer.echo(str(sentence), err=True)
        sys.exit(sentence.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe went away (`| head`): nothing to tell it
        sys.exit(0)


if __name__ == "__main__":
    main()
