"""The page of predictions, each way in and each way out."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.dermacare_server import Server
from tests.e2e.web.conftest import PHONE, findings, sideways

pytestmark = pytest.mark.slow

WITH_FILES = """([element, name, type, data]) => {
    const transfer = new DataTransfer();
    const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type }));
    return transfer;
}"""


def choose(page: Page, *files: Path) -> None:
    """Choose files through the browser's own dialog."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose images").click()
    chooser.value.set_files(files)


def result(page: Page, name: str) -> Locator:
    """The article about an image, once its answer stands."""
    article = page.get_by_role("article", name=f"Result for {name}")
    expect(article.get_by_role("heading", name="Where this answer comes from")).to_be_visible(timeout=30_000)
    return article


def transfer(page: Page, file: Path) -> object:
    """A file as a drop or a paste hands it over."""
    return page.evaluate_handle(WITH_FILES, [None, file.name, "image/jpeg", base64.b64encode(file.read_bytes()).decode()])


def test_a_chosen_image_is_answered_in_full(page: Page, pictures: Path) -> None:
    page.goto("/predict")
    choose(page, pictures / "melanoma.jpg")
    article = result(page, "melanoma.jpg")
    expect(article.get_by_text("Most probable").locator("..")).to_contain_text("Melanoma")
    expect(article.get_by_role("region", name="Probabilities").get_by_role("listitem")).to_have_count(8)
    expect(article.get_by_role("heading", name="Cannot be ruled out")).to_be_visible()
    expect(article.get_by_role("region", name="Measurements")).to_contain_text("Asymmetry")
    # Drawn images trained the model, and the answer itself says so.
    expect(article).to_contain_text("drawn")
    expect(article).to_contain_text(re.compile("dermacare trace [0-9a-f]{32}"))
    expect(page.get_by_text(re.compile(r"melanoma\.jpg: Melanoma, "))).to_be_attached()
    assert findings(page) == []


def test_a_dropped_image_is_answered(page: Page, pictures: Path) -> None:
    page.goto("/predict")
    zone = page.get_by_role("region", name="Drop images here")
    data = transfer(page, pictures / "nevus.jpg")
    zone.dispatch_event("dragover", {"dataTransfer": data})
    expect(page.get_by_text("Let go to add them")).to_be_visible()
    page.get_by_role("button", name="Choose images").dispatch_event("drop", {"dataTransfer": data})
    expect(result(page, "nevus.jpg").get_by_text("Most probable").locator("..")).to_contain_text("Melanocytic nevus")


def test_what_is_dropped_beside_the_zone_counts_and_never_replaces_the_page(page: Page, pictures: Path) -> None:
    page.goto("/predict")
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_be_visible()
    drop = """(place, dataTransfer) =>
        !place.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }))"""
    assert heading.evaluate(drop, page.evaluate_handle("() => new DataTransfer()"))
    assert heading.evaluate(drop, transfer(page, pictures / "nevus.jpg"))
    result(page, "nevus.jpg")


def test_a_pasted_image_is_answered_once(page: Page, pictures: Path) -> None:
    page.goto("/predict")
    page.get_by_role("button", name="Choose images").focus()
    data = transfer(page, pictures / "melanoma.jpg")
    page.evaluate(
        """(clipboardData) => (document.activeElement ?? document.body).dispatchEvent(
            new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }))""",
        data,
    )
    result(page, "melanoma.jpg")
    expect(page.get_by_role("button", name="Show melanoma.jpg")).to_have_count(1)


def test_several_images_are_answered_each_for_itself(page: Page, pictures: Path) -> None:
    page.goto("/predict")
    choose(page, *(pictures / name for name in ("melanoma.jpg", "nevus.jpg", "dark.jpg", "notes.jpg")))
    result(page, "melanoma.jpg")
    page.get_by_role("button", name="Show nevus.jpg").click()
    expect(result(page, "nevus.jpg")).to_be_focused()
    page.get_by_role("button", name="Show notes.jpg").click()
    article = page.get_by_role("article", name="Result for notes.jpg")
    expect(article).to_contain_text("neither a JPEG nor a PNG", timeout=30_000)
    assert findings(page) == []
    page.get_by_role("button", name="Remove notes.jpg").click()
    expect(page.get_by_role("button", name="Show notes.jpg")).to_have_count(0)
    expect(page.get_by_role("button", name="Show dark.jpg")).to_be_focused()


def test_a_refused_image_is_told_so_in_plain_words(page: Page, pictures: Path) -> None:
    page.goto("/predict")
    choose(page, pictures / "dark.jpg")
    article = result(page, "dark.jpg")
    expect(article).to_contain_text("No diagnosis for this image")
    expect(article.get_by_text("Most probable")).to_have_count(0)
    expect(article.get_by_role("region", name="Probabilities")).to_have_count(0)
    assert findings(page) == []


def test_the_keyboard_alone_is_enough(page: Page, pictures: Path) -> None:
    page.on("filechooser", lambda _: None)  # from now on dialogs are caught; a key is quicker than beginning to catch them
    page.goto("/predict")
    tab_to(page, page.get_by_role("button", name="Choose images"))
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files([pictures / "melanoma.jpg", pictures / "nevus.jpg"])
    result(page, "melanoma.jpg")
    tab_to(page, page.get_by_role("button", name="Show nevus.jpg"))
    page.keyboard.press("Enter")
    article = result(page, "nevus.jpg")
    expect(article).to_be_focused()

    frame = article.get_by_role("group", name=re.compile(r"^Image nevus\.jpg"))
    tab_to(page, frame)
    page.keyboard.press("+")
    expect(article.get_by_text("Zoom 150%")).to_be_attached()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("0")
    expect(article.get_by_text("Zoom 150%")).to_have_count(0)

    mask = article.get_by_role("checkbox", name="Lesion")
    tab_to(page, mask)
    page.keyboard.press("Space")
    expect(mask).not_to_be_checked()
    slider = article.get_by_role("slider", name="Opacity of the layers")
    tab_to(page, slider)
    before = float(slider.input_value())
    page.keyboard.press("ArrowRight")
    assert float(slider.input_value()) == pytest.approx(before + 0.05)


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until the target has the focus, which is to be seen."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"Tab does not reach {target}")


def test_the_heat_map_is_there_when_it_is_asked_for(page: Page, pictures: Path) -> None:
    page.goto("/predict")
    choose(page, pictures / "melanoma.jpg")
    article = result(page, "melanoma.jpg")
    article.get_by_role("button", name="Show what speaks for it").click()
    expect(article.get_by_text("Warm places speak for Melanoma")).to_be_visible(timeout=30_000)
    switch = article.get_by_role("checkbox", name="What speaks for it")
    expect(switch).to_be_checked()
    expect(switch).to_be_focused()
    assert findings(page) == []


def test_what_is_told_and_consent_go_along_and_stand_in_the_json(page: Page, pictures: Path, tmp_path: Path) -> None:
    page.goto("/predict")
    page.get_by_text("Patient and consent").click()
    page.get_by_label("Sex").select_option("female")
    page.get_by_label("Place on the body").select_option("back")
    page.get_by_label("Age", exact=True).fill("54")  # it is taken when the focus leaves it: with the click on the next
    page.get_by_text("Keep these images on the server").click()
    assert findings(page) == []
    choose(page, pictures / "melanoma.jpg")
    article = result(page, "melanoma.jpg")
    expect(article).to_contain_text("54 years, female, back")
    expect(article).to_contain_text("yes, with consent")
    with page.expect_download() as download:
        article.get_by_role("button", name="Download JSON").click()
    download.value.save_as(tmp_path / "answer.json")
    answer = json.loads((tmp_path / "answer.json").read_text())
    assert download.value.suggested_filename == f"dermacare-{answer['id']}.json"
    assert answer["patient"] == {"age": 54, "sex": "female", "site": "posterior torso"}
    assert answer["image"]["kept"] is True


COPIED = """async (data) => {
    const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
    const picture = await createImageBitmap(new Blob([bytes]));
    const canvas = new OffscreenCanvas(picture.width, picture.height);
    canvas.getContext("2d").drawImage(picture, 0, 0);
    await navigator.clipboard.write([new ClipboardItem({ "image/png": await canvas.convertToBlob() })]);
}"""


def test_a_picture_pasted_into_the_age_takes_it_along_and_not_away(page: Page, pictures: Path) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/predict")
    page.get_by_text("Patient and consent").click()
    page.evaluate(COPIED, base64.b64encode((pictures / "nevus.jpg").read_bytes()).decode())
    age = page.get_by_label("Age", exact=True)
    age.fill("54")
    age.select_text()
    page.keyboard.press("Control+v")
    expect(result(page, "image.png")).to_contain_text("54 years")
    expect(age).to_have_value("54")
    expect(age).to_be_focused()


def test_without_consent_nothing_is_kept(page: Page, pictures: Path) -> None:
    page.goto("/predict")
    page.get_by_text("Patient and consent").click()
    expect(page.get_by_role("checkbox", name="Keep these images on the server")).not_to_be_checked()
    choose(page, pictures / "melanoma.jpg")
    kept = result(page, "melanoma.jpg").get_by_text("Image kept").locator("..")
    expect(kept).to_contain_text("no")


def test_a_print_is_one_page_without_navigation(page: Page, pictures: Path) -> None:
    page.goto("/predict")
    choose(page, pictures / "melanoma.jpg", pictures / "nevus.jpg")
    result(page, "melanoma.jpg")
    page.emulate_media(media="print")
    expect(page.get_by_role("navigation", name="Pages")).to_be_hidden()
    expect(page.get_by_role("button", name="Choose images")).to_be_hidden()
    expect(page.get_by_text("Decision support", exact=False).locator("visible=true")).to_have_count(1)
    margin = dict.fromkeys(("top", "right", "bottom", "left"), "12mm")
    document = page.pdf(format="A4", margin=margin)
    assert len(re.findall(rb"/Type\s*/Page[^s]", document)) == 1


def test_a_phone_shows_all_of_it(phone: Page, pictures: Path) -> None:
    phone.goto("/predict")
    with phone.expect_file_chooser() as chooser:
        phone.get_by_role("button", name="Take a picture").tap()
    assert chooser.value.element.get_attribute("capture") == "environment"
    chooser.value.set_files([pictures / "melanoma.jpg"])
    article = result(phone, "melanoma.jpg")
    assert sideways(phone) == 0
    assert findings(phone) == []
    article.get_by_role("button", name="Zoom in").tap()
    expect(article.get_by_text("Zoom 150%")).to_be_attached()


def test_dark_answers_are_accessible_too(site: Server, open_context: Callable[..., BrowserContext], pictures: Path) -> None:
    page = open_context(site.address, viewport=PHONE, color_scheme="dark").new_page()
    page.goto("/predict")
    choose(page, pictures / "melanoma.jpg")
    result(page, "melanoma.jpg").get_by_role("button", name="Show what speaks for it").click()
    expect(page.get_by_text("Warm places speak for Melanoma")).to_be_visible(timeout=30_000)
    assert findings(page) == []
