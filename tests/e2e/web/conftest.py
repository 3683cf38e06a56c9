"""A browser, a server with a release of tiny models, and pages that are watched while a test uses them."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from components.lesions import Diagnosis
from pipelines.home import Home
from tests.components.predict.drawn import jpeg, lesion
from tests.dermacare_server import Server, serving

# pytest finds these fixtures by their names.
from tests.pipelines.serving.conftest import _own_mlflow, kept_home, served  # noqa: F401

WEB = Path(__file__).parents[3] / "dermacare" / "web"
AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 320, "height": 640}


@pytest.fixture(scope="session")
def site(kept_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:  # noqa: F811
    """A server that all tests share; whoever stops or starves one starts his own."""
    if not (WEB / "dist" / "index.html").is_file() or not AXE.is_file():
        pytest.skip("the pages are not built: `make web` builds them")
    root = tmp_path_factory.mktemp("site")
    shutil.copytree(kept_home.root, root / "home")
    with serving(root / "home") as server:
        yield server


class Watched:
    """What a page did that it must not do: broke the CSP, asked another host, or threw."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self._host = urlsplit(address).netloc
        self.faults: list[str] = []
        context.on("request", lambda request: self._asked(request.url))
        context.on("console", self._said)
        context.on("weberror", lambda error: self.faults.append(f"threw {error.error}"))

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.netloc != self._host:
            self.faults.append(f"asked {url}")

    def _said(self, message: ConsoleMessage) -> None:
        # Chromium notes each answer with an error status itself; those are what tests are about.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self.faults.append(f"said {message.text}")


@pytest.fixture
def open_context(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Makes browser windows that forget everything, and watches them; the faults of all are asserted at the end."""
    contexts: list[tuple[BrowserContext, Watched]] = []

    def make(address: str, **settings: Any) -> BrowserContext:
        context = browser.new_context(**{"base_url": address, "viewport": DESKTOP, **settings})
        context.add_init_script(path=AXE)  # not through the page, whose CSP would refuse it
        contexts.append((context, Watched(context, address)))
        return context

    yield make
    for context, _ in contexts:
        context.close()
    assert [fault for _, watched in contexts for fault in watched.faults] == []


@pytest.fixture
def page(site: Server, open_context: Callable[..., BrowserContext]) -> Page:
    """A window on the shared server, of a desktop's size."""
    return open_context(site.address).new_page()


@pytest.fixture
def phone(site: Server, open_context: Callable[..., BrowserContext]) -> Page:
    """A window of a small phone's width, with touch."""
    return open_context(site.address, viewport=PHONE, has_touch=True, is_mobile=True).new_page()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files to predict: `melanoma.jpg`, `nevus.jpg`; `dark.jpg`, which the classifier refuses; `notes.jpg`, which is no image."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "melanoma.jpg").write_bytes(jpeg(lesion(Diagnosis.MEL)))
    (folder / "nevus.jpg").write_bytes(jpeg(lesion(Diagnosis.NV)))
    (folder / "dark.jpg").write_bytes(jpeg(np.zeros_like(lesion())))
    (folder / "notes.jpg").write_text("no image")
    return folder


def findings(page: Page) -> list[str]:
    """What axe-core has to say against the page as it stands: rule and place, one a line."""
    result = page.evaluate("() => axe.run({ resultTypes: ['violations'] })")
    return [f"{one['id']}: {node['target']}" for one in result["violations"] for node in one["nodes"]]


def sideways(page: Page) -> int:
    """Pixels by which the page is wider than its window."""
    return int(page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth"))
