"""The pages where something between them and an answer is away: the network, the server, room for one more request, a model."""

import re
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from dermacare.api import limits
from dermacare.api.keys import VARIABLE, digest_of, new_key
from pipelines.home import Home
from tests.dermacare_server import Server, serving
from tests.e2e.web.conftest import findings
from tests.e2e.web.test_predict import choose, result

pytestmark = pytest.mark.slow


def test_without_a_network_answers_stay_and_the_rest_is_sent_when_it_is_back(page: Page, pictures: Path) -> None:
    page.goto("/predict")
    choose(page, pictures / "melanoma.jpg")
    result(page, "melanoma.jpg")
    page.context.set_offline(True)
    expect(page.get_by_text("You are offline.")).to_be_visible()
    choose(page, pictures / "nevus.jpg")
    expect(page.get_by_text("the server cannot be reached; sent again when it can").first).to_be_visible()
    assert findings(page) == []
    page.get_by_role("button", name="Show melanoma.jpg").click()
    result(page, "melanoma.jpg")
    page.context.set_offline(False)
    page.get_by_role("button", name="Show nevus.jpg").click()
    result(page, "nevus.jpg")
    expect(page.get_by_text("You are offline.")).to_have_count(0)


def test_a_server_that_ends_and_comes_back_costs_no_image(
    kept_home: Home, tmp_path: Path, open_context: Callable[..., BrowserContext], pictures: Path
) -> None:
    shutil.copytree(kept_home.root, tmp_path / "home")
    with serving(tmp_path / "home") as first:
        page = open_context(first.address).new_page()
        page.goto("/predict")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    choose(page, pictures / "melanoma.jpg")
    expect(page.get_by_text("the server cannot be reached; sent again when it can").first).to_be_visible()
    with serving(tmp_path / "home", "--port", str(first.port)):
        result(page, "melanoma.jpg")


def test_a_busy_server_is_asked_again_by_itself(page: Page, site: Server, pictures: Path) -> None:
    page.goto("/predict")
    with _crowd(site.port):
        choose(page, pictures / "melanoma.jpg")
        expect(page.get_by_text(re.compile("the server is busy; tried again in")).first).to_be_visible()
        assert findings(page) == []
    result(page, "melanoma.jpg")


@contextmanager
def _crowd(port: int) -> Iterator[None]:
    """As many requests for predictions as the server takes, each of which has sent its head and keeps its body back."""
    head = (
        f"POST /api/v1/predictions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 10000\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
    )
    with ExitStack() as stack:
        for _ in range(limits.WAITING):
            stack.enter_context(socket.create_connection(("127.0.0.1", port))).sendall(head.encode())
        yield


def test_an_image_can_be_cancelled_and_sent_again(page: Page, site: Server, pictures: Path) -> None:
    page.goto("/predict")
    with _crowd(site.port):
        choose(page, pictures / "melanoma.jpg")
        page.get_by_role("button", name="Cancel melanoma.jpg").click()
        expect(page.get_by_text("cancelled").first).to_be_visible()
    page.get_by_role("button", name="Try melanoma.jpg again").click()
    result(page, "melanoma.jpg")


def test_the_app_opens_without_a_network_and_keeps_no_answer(page: Page, pictures: Path) -> None:
    page.goto("/predict")
    page.evaluate("() => navigator.serviceWorker.ready.then(() => null)")
    choose(page, pictures / "melanoma.jpg")
    result(page, "melanoma.jpg")
    kept = page.evaluate(
        """async () => {
            const names = await caches.keys();
            const stores = await Promise.all(names.map((name) => caches.open(name)));
            const requests = await Promise.all(stores.map((store) => store.keys()));
            return requests.flat().map((request) => new URL(request.url).pathname);
        }"""
    )
    assert "/" in kept
    assert [path for path in kept if path.startswith(("/api", "/healthz", "/readyz"))] == []
    page.context.set_offline(True)
    page.goto("/about")
    expect(page.get_by_role("heading", level=1)).to_have_text("About DermaCare")
    # Whether Chromium calls itself offline after a navigation, too, is its own affair.
    expect(page.get_by_text(re.compile("You are offline|The server does not answer"))).to_be_visible()


def test_the_app_can_be_installed(page: Page) -> None:
    page.goto("/")
    page.evaluate("() => navigator.serviceWorker.ready.then(() => null)")
    session = page.context.new_cdp_session(page)
    # A window of a test forgets everything, as a private one does, in which nothing is installed; there is no other obstacle.
    errors = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert [error["errorId"] for error in errors] == ["in-incognito"]
    manifest = session.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert manifest["manifest"]["name"] == "DermaCare"


def test_without_a_release_the_pages_say_what_to_do(
    tmp_path: Path, open_context: Callable[..., BrowserContext], pictures: Path
) -> None:
    (tmp_path / "home").mkdir()
    with serving(tmp_path / "home", ready=False) as server:
        page = open_context(server.address).new_page()
        page.goto("/predict")
        expect(page.get_by_text("No model serves yet")).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert findings(page) == []
        choose(page, pictures / "melanoma.jpg")
        expect(page.get_by_text("no model serves yet; sent again when one does").first).to_be_visible()
        assert findings(page) == []
        page.goto("/lesion-types")
        expect(page.get_by_role("heading", name="Melanoma", exact=True)).to_be_visible()


def test_where_the_server_wants_a_key_the_browser_asks_once(
    kept_home: Home, tmp_path: Path, open_context: Callable[..., BrowserContext], pictures: Path
) -> None:
    shutil.copytree(kept_home.root, tmp_path / "home")
    key = new_key()
    (tmp_path / "keys").write_text(f"{digest_of(key)} eva\n")
    with serving(tmp_path / "home", environment={VARIABLE: str(tmp_path / "keys")}) as server:
        assert open_context(server.address).request.get("/").status == 401
        page = open_context(server.address, http_credentials={"username": "eva", "password": key}).new_page()
        page.goto("/lesion-types")
        expect(page.get_by_role("img", name="Drawing of Melanoma")).to_be_visible()
        page.get_by_role("link", name="Predict").click()
        choose(page, pictures / "melanoma.jpg")
        result(page, "melanoma.jpg")
