"""The page about the core in a real browser: Debian's chromium, headless, without a network."""

import pytest

from tests.test_explain import sound_page, world  # noqa: F401  (fixtures)
from tests.test_report_browser import Visit, browser  # noqa: F401  (fixture)

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it_at_any_width_and_on_paper(browser, sound_page, scheme):  # noqa: F811
    visit = Visit(browser, sound_page, color_scheme=scheme)
    page = visit.page
    for width in (320, 400, 768, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    colours = page.locator("rect.heat.first").first.evaluate("each => getComputedStyle(each).fill")
    assert colours == ("rgb(10, 98, 135)" if scheme == "light" else "rgb(116, 192, 227)")
    sizes = page.locator("svg").evaluate_all("all => all.map(each => each.getBoundingClientRect().height)")
    assert min(sizes) > 100
    assert page.pdf()[:5] == b"%PDF-"
    visit.close()
