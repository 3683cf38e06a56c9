"""Each page, at each width and in each scheme: it stands, it is accessible, it keeps to itself."""

import json
import re
import urllib.request
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from components.lesions import CODES
from tests.dermacare_server import Server
from tests.e2e.web.conftest import DESKTOP, PHONE, findings, sideways

pytestmark = pytest.mark.slow

PAGES = {
    "/": "A second pair of eyes on a dermoscopic image",
    "/about": "About DermaCare",
    "/lesion-types": "Lesion types",
    "/predict": "Predict",
    "/nothing": "There is no page at this address",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_stands_accessibly_at_every_width(
    path: str, viewport: dict[str, int], scheme: str, site: Server, open_context: Callable[..., BrowserContext]
) -> None:
    page = open_context(site.address, viewport=viewport, color_scheme=scheme, reduced_motion="reduce").new_page()
    page.goto(path)
    expect(page.get_by_role("heading", level=1)).to_have_text(PAGES[path])
    expect(page).to_have_title(re.compile(r".+ · DermaCare"))
    # Drawn images trained what serves here, and every page says so.
    expect(page.get_by_role("region", name="What this is not")).to_contain_text("Trained on drawings")
    page.wait_for_load_state("networkidle")
    assert sideways(page) == 0
    assert findings(page) == []


def test_at_twice_the_size_nothing_is_lost_sideways(site: Server, open_context: Callable[..., BrowserContext]) -> None:
    # 200 % zoom of a window of 1,280 pixels shows 640 of them, at two for one.
    page = open_context(site.address, viewport={"width": 640, "height": 400}, device_scale_factor=2).new_page()
    for path in PAGES:
        page.goto(path)
        page.wait_for_load_state("networkidle")
        assert sideways(page) == 0, path


def test_forced_colours_leave_controls_to_be_seen(site: Server, open_context: Callable[..., BrowserContext]) -> None:
    page = open_context(site.address, forced_colors="active").new_page()
    page.goto("/predict")
    expect(page.get_by_role("button", name="Choose images")).to_be_visible()
    assert findings(page) == []


def test_predict_is_one_click_from_home(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Predict an image").click()
    expect(page).to_have_url(re.compile("/predict$"))
    expect(page.get_by_role("heading", level=1)).to_be_focused()


def test_links_are_real_and_the_browser_goes_back(page: Page) -> None:
    page.goto("/")
    for name, path in (("Lesion types", "/lesion-types"), ("About", "/about")):
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
        expect(page).to_have_url(re.compile(f"{path}$"))
        expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Lesion types")


def test_the_skip_link_comes_first_and_leads_to_the_content(page: Page) -> None:
    page.goto("/about")
    expect(page.get_by_role("heading", level=1)).to_be_visible()  # a key pressed before React has drawn meets an empty page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_about_tells_what_the_registry_knows(page: Page, site: Server) -> None:
    with urllib.request.urlopen(f"{site.address}/api/v1/models") as answer:
        facts = json.load(answer)["classifier"]
    page.goto("/about")
    model = page.get_by_role("region", name=re.compile("^Classifier"))
    expect(model).to_contain_text(facts["reference"]["digest"])
    expect(model).to_contain_text(facts["data"]["data_version"])
    expect(model).to_contain_text(facts["decision"]["reason"])
    for figure in facts["figures"]:
        if figure["value"] is not None:
            expect(model.get_by_role("table", name="Figures with 95 % intervals")).to_contain_text(f"{figure['value']:.2f}")
    page.get_by_text("Model card of", exact=False).first.click()
    expect(model.get_by_role("heading", name=facts["card"].removeprefix("#").strip(), exact=True)).to_be_visible()


def test_every_lesion_type_has_its_drawing_and_says_that_it_is_drawn(page: Page) -> None:
    page.goto("/lesion-types")
    assert len(CODES) == 8
    for code in CODES:
        entry = page.locator(f"#{code}")
        picture = entry.get_by_role("img", name=re.compile("^Drawing of"))
        picture.scroll_into_view_if_needed()  # it is fetched when it comes into sight
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        expect(entry).to_contain_text("Drawn, not a photograph")


def test_an_address_with_a_diagnosis_leads_to_it(page: Page) -> None:
    page.goto("/lesion-types#SCC")
    expect(page.locator("#SCC")).to_be_focused()
    expect(page.locator("#SCC").get_by_role("heading", level=2)).to_be_in_viewport()
