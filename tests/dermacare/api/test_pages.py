"""The built pages behind the API: files as they are, one page for every address of the app, plain words where nothing is built."""

import asyncio
from pathlib import Path

import httpx
import pytest

from dermacare.api import app as module
from dermacare.api.pages import pages
from dermacare.api.problems import MEDIA_TYPE

SCRIPT = "console.log(1);" * 200


@pytest.fixture
def built(tmp_path: Path) -> Path:
    root = tmp_path / "dist"
    (root / "assets").mkdir(parents=True)
    (root / "index.html").write_text("<!doctype html><title>app</title>")
    (root / "assets" / "index-1a2b.js").write_text(SCRIPT)
    (root / "sw.js").write_text("self")
    (tmp_path / "secret.txt").write_text("secret")
    return root


def get(folder: Path, path: str, monkeypatch: pytest.MonkeyPatch, **options: object) -> httpx.Response:
    """Ask the app, with these pages behind its routes."""
    monkeypatch.setattr(module, "pages", lambda: pages(folder))
    transport = httpx.ASGITransport(module.create_app())

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(options.pop("method", "GET"), path, **options)

    return asyncio.run(ask())


@pytest.mark.parametrize("path", ["/", "/predict", "/lesion-types", "/about", "/lesion-types/MEL"])
def test_every_address_of_the_app_is_its_one_page(path: str, built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = get(built, path, monkeypatch)
    assert answer.status_code == 200
    assert "<title>app</title>" in answer.text
    assert answer.headers["cache-control"] == "no-cache"


def test_what_is_named_by_its_content_lasts_and_travels_compressed(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = get(built, "/assets/index-1a2b.js", monkeypatch)
    assert answer.text == SCRIPT
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    assert "javascript" in answer.headers["content-type"]
    assert get(built, "/sw.js", monkeypatch).headers["cache-control"] == "no-cache"


def test_what_a_browser_has_already_is_not_sent_again(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tag = get(built, "/", monkeypatch).headers["etag"]
    assert get(built, "/", monkeypatch, headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("path", ["/assets/gone.js", "/api/v1/nothing", "/api", "/..%2fsecret.txt", "/assets/../../secret.txt"])
def test_what_is_not_there_is_a_problem_and_nothing_else_is_read(path: str, built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = get(built, path, monkeypatch)
    assert "secret" not in answer.text or answer.status_code == 404
    if path != "/api":  # an address like any other
        assert answer.status_code == 404
        assert answer.headers["content-type"] == MEDIA_TYPE


def test_a_page_cannot_be_written_to(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert get(built, "/predict", monkeypatch, method="POST").status_code in (404, 405)


def test_without_built_pages_one_page_says_how_they_are_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = get(tmp_path / "none", "/", monkeypatch)
    assert answer.status_code == 200
    assert "make web" in answer.text
