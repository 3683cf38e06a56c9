"""Tables that grow and never change, in a file or in a team's PostgreSQL: the database itself refuses to change or delete a row.

In PostgreSQL they lie in a schema `dermacare` of their own; in SQLite a file has no schemas.
`infra/kubernetes/postgresql/databases.sql` makes the same tables beforehand, so that who writes rows need not own what refuses to
change them.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import DDL, Engine, Table, create_engine, event, make_url
from sqlalchemy.schema import CreateSchema

SCHEMA = "dermacare"


def refuse_changes(table: Table, called: str) -> None:
    """Have a table made together with triggers that refuse whatever is not an insertion.

    Args:
        table: of SQLAlchemy, in the schema `SCHEMA`.
        called: what to call it where it refuses, `the ledger`.
    """
    name = table.name
    sqlite = [
        f"CREATE TRIGGER {name}_{verb.lower()} BEFORE {verb} ON {name} BEGIN SELECT RAISE(ABORT, '{called} is append-only'); END"
        for verb in ("UPDATE", "DELETE")
    ]
    postgresql = [
        f"CREATE OR REPLACE FUNCTION {SCHEMA}.keep_{name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{called} is append-only'; END $$",
        f"CREATE TRIGGER {name}_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON {SCHEMA}.{name} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {SCHEMA}.keep_{name}()",
    ]
    for dialect, statements in (("sqlite", sqlite), ("postgresql", postgresql)):
        for statement in statements:
            event.listen(table, "after_create", DDL(statement).execute_if(dialect=dialect))  # type: ignore[no-untyped-call]


def open_database(url: str) -> Engine:
    """Open the database of an address; the folder of a SQLite file is made.

    A connection that broke while nobody used it is replaced, so that a server which was away is used again when it is back; one
    that says nothing counts as broken after ten seconds. PostgreSQL gives up a statement after ten seconds too, and one that waits
    for a lock after five: a table that somebody locked is an error, not a wait without an end.

    Raises:
        ArgumentError: of SQLAlchemy: it is no address of a database.
        OSError: the folder cannot be made.
    """
    parsed = make_url(url)
    if is_sqlite(url):
        if parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed, connect_args={"timeout": 30})
        return engine.execution_options(schema_translate_map={SCHEMA: None})
    theirs = parsed.query.get("options", "")  # of the address; they come last, so that they count
    options = f"-c lock_timeout=5s -c statement_timeout=10s {theirs}".strip()
    patience: dict[str, Any] = {"connect_timeout": 5, "tcp_user_timeout": 10_000, "options": options}
    return create_engine(parsed, connect_args=patience, pool_pre_ping=True)


def make_table(engine: Engine, table: Table) -> None:
    """Make a table where it is not there yet, its triggers with it or not at all."""
    sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        if engine.dialect.has_table(connection, table.name, schema=None if sqlite else SCHEMA):
            return
    with engine.begin() as connection:
        if sqlite:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # Python's driver begins no transaction before CREATE by itself
        else:
            connection.execute(CreateSchema(SCHEMA, if_not_exists=True))
        table.create(connection, checkfirst=True)


def is_sqlite(url: str) -> bool:
    """Whether an address names a file."""
    return make_url(url).get_backend_name() == "sqlite"


def first_line(error: Exception) -> str:
    """What a database says went wrong, in one line."""
    said = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    return said.splitlines()[0][:200]
