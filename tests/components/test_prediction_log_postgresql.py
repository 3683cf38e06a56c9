"""The log of several servers, in a real PostgreSQL: the same promises as in a file."""

import threading

import psycopg
import pytest

from components.append_only import open_database
from components.errors import StoreError
from components.prediction_log import PredictionLog
from tests.components.test_prediction_log import row


def test_a_row_is_found_as_another_server_appended_it(url):
    log = PredictionLog(url)
    log.append(row(1))
    assert PredictionLog(url).find(row(1).id) == log.find(row(1).id) == row(1)
    assert log.find("0" * 32) is None
    with pytest.raises(StoreError, match="cannot be logged"):
        log.append(row(1))


def test_servers_that_begin_at_once_lose_no_row(url, server):
    logs = [PredictionLog(url) for _ in range(4)]
    logs[0].require_room()  # the table
    threads = [
        threading.Thread(target=lambda log=log, first=first: [log.append(row(first + one)) for one in range(25)])
        for log, first in zip(logs, range(0, 400, 100), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.query(url.rpartition("/")[2], "select count(*) from dermacare.predictions") == [(100,)]


def test_the_database_itself_refuses_changes(url, server):
    PredictionLog(url).append(row(1))
    name = url.rpartition("/")[2]
    for statement in ("update {} set record = ''", "delete from {}", "truncate {}"):
        with pytest.raises(psycopg.errors.RaiseException, match="the log is append-only"):
            server.query(name, statement.format("dermacare.predictions"))
    assert PredictionLog(url).find(row(1).id) == row(1)


def test_while_the_server_is_away_nothing_is_logged_and_then_it_goes_on_by_itself(url, server):
    log = PredictionLog(url)
    log.append(row(1))
    server.kill()
    try:
        with pytest.raises(StoreError, match=r"the answer cannot be logged .* see that the database answers") as caught:
            log.append(row(2))
        assert "tester-password" not in str(caught.value)
        with pytest.raises(StoreError, match="cannot be logged"):
            log.require_room()
        with pytest.raises(StoreError, match="cannot be read"):
            log.find(row(1).id)
    finally:
        server.start()
    log.require_room()
    log.append(row(2))
    assert log.find(row(1).id) == row(1)
    assert log.find(row(2).id) == row(2)


def test_a_table_that_somebody_locked_is_an_error_and_no_wait(url):
    log = PredictionLog(url)
    log.append(row(1))
    with psycopg.connect(url.replace("+psycopg", "")) as other:
        other.execute("lock table dermacare.predictions in access exclusive mode")
        with pytest.raises(StoreError, match=r"the answer cannot be logged \(canceling statement due to lock timeout"):
            log.append(row(2))
        with pytest.raises(StoreError, match="cannot be read"):
            log.find(row(1).id)
        with pytest.raises(StoreError, match="cannot be logged"):
            log.require_room()
    log.append(row(2))
    assert log.find(row(2).id) == row(2)


def test_what_an_address_says_of_its_statements_counts(url):
    engine = open_database(f"{url}?options=-c%20statement_timeout%3D1h")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("show statement_timeout").scalar() == "1h"
        assert connection.exec_driver_sql("show lock_timeout").scalar() == "5s"
    engine.dispose()


def test_a_role_that_may_not_insert_is_told_so(url, server):
    PredictionLog(url).append(row(1))
    name = url.rpartition("/")[2]
    server.query(name, f"create role {name} login password 'only-reads'")
    server.query(name, f"grant usage on schema dermacare to {name}")
    server.query(name, f"grant select on dermacare.predictions to {name}")
    reader = PredictionLog(url.replace("mlflow:tester-password", f"{name}:only-reads"))
    assert reader.find(row(1).id) == row(1)
    with pytest.raises(StoreError, match=r"permission denied .* its role may insert"):
        reader.append(row(2))


def test_what_is_no_address_is_called_so():
    with pytest.raises(StoreError, match=r"^DERMACARE_PREDICTIONS: is no address"):
        PredictionLog("nowhere").append(row(1))
