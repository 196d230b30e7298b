"""The page of a run in a browser: no script, no request, nothing in the way of a reader."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from openmix.report import page
from openmix.report.samples import Sample, Samples

PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module")
def source(record):
    samples = Samples([Sample(PIXEL, 1, 1, "0.62 of class 3, 0.38 of class 7")] * 16, "The first.")
    return page.render(record("cutmix", 0, 78.0, hashes={"weights": "cd" * 32}), samples)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_no_accessibility_rule_is_broken(show, source, scheme, width):
    shown = show(source, color_scheme=scheme, viewport={"width": width, "height": 900})
    assert Axe().run(shown).response["violations"] == []
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_samples_are_drawn(show, source):
    shown = show(source)
    pictures = shown.locator("#samples ~ .samples img")
    assert pictures.count() == 16
    assert pictures.first.evaluate("image => image.complete && image.naturalWidth") == 1
