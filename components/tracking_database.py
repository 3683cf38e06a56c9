"""MLflow's own database on this machine: made whole or not at all."""

from pathlib import Path

from components.files import locked


def make_database(path: Path, artifacts: Path) -> None:
    """Make MLflow's SQLite database where there is none.

    MLflow makes its tables by some fifty migrations, one after the other. Killed between two of them, it leaves a database that
    it can neither use nor mend ("table _alembic_tmp_experiments already exists"). So it works on a file of another name, which
    gets its own once it is whole.

    Args:
        path: the database.
        artifacts: folder of the files of MLflow's own default experiment.

    Raises:
        StoreError: the folder cannot be written.
    """
    if path.exists():
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.with_name(f".{path.name}.lock")):
        if path.exists():
            return  # another process was quicker
        part = path.with_name(f".{path.name}.part")
        for left in path.parent.glob(f"{part.name}*"):  # by a killed attempt, SQLite's journal with it
            left.unlink()
        SqlAlchemyStore(f"sqlite:///{part}", artifacts.as_uri()).engine.dispose()  # type: ignore[no-untyped-call]
        part.rename(path)
