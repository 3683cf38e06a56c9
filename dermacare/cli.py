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

Profile = Annotated[str | None, typer.Option("--profile", "-p", help="Profile that overrides params.yaml.", show_default=False)]
Data = Annotated[
    list[str] | None, typer.Option("--data", "-d", help="Source of images: `phantom` or a folder; repeat for several.")
]
Assignments = Annotated[list[str] | None, typer.Option("--set", "-s", help="section.key=value; repeat for several.")]
ParamsFile = Annotated[
    Path | None, typer.Option("--params", help="The params.yaml to read [default: ./params.yaml, else the packaged one].")
]
RunId = Annotated[str | None, typer.Argument(help="The run's id [default: the newest run].", show_default=False)]


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
    runner: Annotated[Runner, typer.Option(help="Where the steps run.")] = Runner.SUBPROCESS,
    plan: Annotated[bool, typer.Option("--plan", help="Say which steps would run, and why; run nothing.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Do everything again, whatever is done already.")] = False,
) -> None:
    """Run the pipeline: images in, a registered and promoted model out."""
    from dermacare.run_command import run_pipeline

    raise typer.Exit(
        run_pipeline(
            profile=profile, data=data or [], assignments=assignments or [], file=file, runner=runner, plan_only=plan, fresh=fresh
        )
    )


@app.command("compile")
def compile_(
    output: Annotated[Path, typer.Option("--output", "-o", help="The YAML file to write.")],
    profile: Profile = None,
    data: Data = None,
    assignments: Assignments = None,
    file: ParamsFile = None,
) -> None:
    """Write the pipeline for a Kubeflow cluster, as its intermediate representation."""
    from components.params import load_params
    from pipelines.home import Home
    from pipelines.plan import check_models, source_fingerprint
    from pipelines.training import compile_pipeline

    params = load_params(file, profile=profile, data=data or [], assignments=assignments or []).params
    check_models(params)
    compile_pipeline(params, source_fingerprint(params.ingest, Home.here().root), output)
    typer.echo(f"{output}: written; upload it in Kubeflow's UI")


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
    yaml: Annotated[bool, typer.Option("--yaml", help="Print a params.yaml with these values instead of the table.")] = False,
) -> None:
    """Every parameter: value, type, range, where the value comes from, what it means."""
    from components.params import load_params
    from dermacare.params_command import show_params

    show_params(load_params(file, profile=profile, data=data or [], assignments=assignments or []), as_yaml=yaml)


@app.command()
def doctor() -> None:
    """What this machine has and lacks."""
    from dermacare.doctor import examine

    raise typer.Exit(examine())


@app.command()
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 5000,
) -> None:
    """Serve the MLflow UI over this home's runs, on loopback."""
    from dermacare.ui_command import serve_mlflow

    serve_mlflow(port)


@app.command()
def gc(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
) -> None:
    """List what nothing refers to any more, with sizes, and delete it on a yes."""
    from dermacare.gc_command import collect

    collect(yes=yes)


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
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe went away (`| head`): nothing to tell it
        sys.exit(0)


if __name__ == "__main__":
    main()
