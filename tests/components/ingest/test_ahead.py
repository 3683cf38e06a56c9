"""Pictures of a store that is slow to answer are read at once, and come in their order all the same."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from components.errors import PictureError
from components.ingest.ahead import read_ahead
from components.ingest.source import Blob, Origin, Picture


@dataclass
class SlowStore:
    """Stands for a remote store, since latency cannot be had on loopback: each answer takes 20 ms; counts those under way."""

    under_way: int = 0
    most: int = 0
    read: list[str] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class SlowBlob:
    store: SlowStore
    name: str
    at_once: int

    def read(self) -> bytes:
        with self.store.lock:
            self.store.under_way += 1
            self.store.most = max(self.store.most, self.store.under_way)
            self.store.read.append(self.name)
        time.sleep(0.02)
        with self.store.lock:
            self.store.under_way -= 1
        if self.name == "bad":
            raise PictureError("bad: cannot be read")
        return self.name.encode()


def pictures(store: SlowStore, names: list[str], at_once: int) -> list[Picture]:
    return [Picture(Origin("store"), name, cast(Blob, SlowBlob(store, name, at_once))) for name in names]


@pytest.mark.parametrize("at_once", [1, 4])
def test_as_many_are_read_at_once_as_the_store_likes_and_each_once(at_once: int) -> None:
    store = SlowStore()
    names = [f"p{number}" for number in range(20)]
    given = pictures(store, names, at_once)
    with read_ahead(given) as ahead:
        assert [ahead(picture).decode() for picture in given] == names
    assert store.most == at_once
    assert sorted(store.read) == sorted(names)


def test_pictures_that_are_not_asked_for_stop_nothing() -> None:
    store = SlowStore()
    given = pictures(store, [f"p{number}" for number in range(30)], 4)
    with read_ahead(given) as ahead:
        assert [ahead(picture) for picture in given[::3]] == [f"p{number}".encode() for number in range(0, 30, 3)]


def test_what_reading_one_raises_is_raised_where_it_is_asked_for() -> None:
    given = pictures(SlowStore(), ["a", "bad", "c"], 4)
    with read_ahead(given) as ahead:
        assert ahead(given[0]) == b"a"
        with pytest.raises(PictureError):
            ahead(given[1])
        assert ahead(given[2]) == b"c"


def test_leaving_early_reads_no_more_than_was_begun() -> None:
    store = SlowStore()
    given = pictures(store, [f"p{number}" for number in range(200)], 4)

    def interrupted() -> None:
        with read_ahead(given) as ahead:
            ahead(given[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(store.read) <= 9
