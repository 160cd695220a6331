"""The report in a real browser: Debian's chromium, headless, without a network."""

import os
import re
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.comparison.runs import run_of
from common.report.gather import gather
from common.report.page import render
from common.report.sources import read_sources
from tests.report_world import HEBREW, HOSTILE, build, rows_of

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run", "--autoplay-policy=no-user-gesture-required", "--mute-audio"),
)
NUM_SAMPLES = 160
SECONDS, WIDTH_PX, HEIGHT_PX = 0.6, 180, 40


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        reason = "chromium is not installed (apt install chromium, or name one in CHROMIUM)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The report of each modality as a file, with sounds and pictures as the modalities themselves make them."""
    import audio.modality
    import ocr.modality
    from audio.reading import Sound

    rate_hz = 22_050
    tone = 0.3 * np.sin(np.arange(int(SECONDS * rate_hz)) / 9).astype(np.float32)
    stripes = np.tile(np.array([60, 255], np.uint8).repeat(9), 10)[None].repeat(HEIGHT_PX, 0)  # [HEIGHT_PX, WIDTH_PX]
    previews = {"audio": audio.modality.preview(Sound(tone, rate_hz)), "ocr": ocr.modality.preview(stripes)}
    root = tmp_path_factory.mktemp("world")
    files = {}
    for modality in ("audio", "ocr"):
        build(root, modality, rows_of(NUM_SAMPLES), preview=previews[modality])
        files[modality] = root / f"{modality}.html"
        misread = ({**row, "hypothesis": row["hypothesis"][::-1]} for row in rows_of(NUM_SAMPLES))
        other = run_of("results/other", misread, "other") if modality == "audio" else None
        settings = {"decoding": {"engine": "greedy"}}
        content = gather(read_sources(modality, root), modality, "default", 10, 1, settings, other)
        files[modality].write_text(render(content), encoding="utf-8")
    return files


class Visit:
    """An open page, with everything that it complained of or asked for."""

    def __init__(self, browser: Any, file: Path, **options: Any) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.context = browser.new_context(offline=True, **options)
        self.context.set_default_timeout(60_000)
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.complaints.append(f"console {message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("requestfailed", lambda request: self.complaints.append(f"failed: {request.url[:80]}"))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())

    def close(self) -> None:
        """Nothing was said in the console, and nothing but the file itself and data inside it was loaded."""
        self.context.close()
        assert self.complaints == []
        assert self.requests and all(url.startswith(("file:", "data:")) for url in self.requests), self.requests
        assert sum(url.startswith("file:") for url in self.requests) == 1


@pytest.fixture
def visit(browser: Any, pages: dict[str, Path]) -> Iterator[Any]:
    """visit(modality, **options) → playwright page; complaints fail the test when it ends."""
    visits: list[Visit] = []

    def go(modality: str, **options: Any) -> Any:
        visits.append(Visit(browser, pages[modality], **options))
        return visits[-1].page

    yield go
    for each in visits:
        each.close()


def shown_rows(page: Any) -> int:
    return page.locator("#all tbody tr:visible").count()


def test_a_sound_plays(visit: Any) -> None:
    page = visit("audio")
    sounds = page.locator("audio")
    assert sounds.count() > 10
    sound = sounds.first
    sound.scroll_into_view_if_needed()
    sound.evaluate("sound => { sound.muted = true; return sound.play(); }")
    page.wait_for_function(
        "sound => sound.ended || sound.currentTime > 0.1", arg=sound.element_handle(), timeout=10_000
    )
    assert sound.evaluate("sound => sound.duration") == pytest.approx(SECONDS, abs=0.05)
    assert sound.evaluate("sound => sound.error") is None


def test_one_sound_at_a_time(visit: Any) -> None:
    page = visit("audio")
    playing = "[...document.querySelectorAll('audio')].filter(sound => !sound.paused).length"
    for number in (0, 1):
        page.locator("audio").nth(number).evaluate("sound => { sound.muted = sound.loop = true; return sound.play(); }")
    page.wait_for_function(f"({playing}) === 1", timeout=10_000)


def test_every_picture_is_there(visit: Any) -> None:
    page = visit("ocr")
    pictures = page.locator("img")
    assert pictures.count() > 10
    sizes = pictures.evaluate_all("all => all.map(each => [each.complete, each.naturalWidth, each.naturalHeight])")
    assert all(size == [True, WIDTH_PX, HEIGHT_PX] for size in sizes)
    assert all(pictures.nth(each).get_attribute("alt") for each in range(pictures.count()))


@pytest.mark.parametrize("modality", ["audio", "ocr"])
def test_html_in_a_transcript_is_text(visit: Any, modality: str) -> None:
    page = visit(modality)
    assert page.title().startswith(("Speech recogniser", "Text image recogniser"))
    reference = page.locator(".sample", has_text="hostile").first.locator(".transcript").first
    assert reference.inner_text() == f"SAY {HOSTILE} NOW"
    page.locator("details").evaluate_all("all => all.forEach(each => each.open = true)")
    assert HOSTILE in page.locator("#data").inner_text(), "in the sentences of rejections and findings, too"
    assert page.locator("script").count() == 1
    assert page.locator("img[src=x]").count() == 0
    assert page.locator("b").count() == 0


def test_the_policy_would_stop_what_escaping_let_through(browser: Any, pages: dict[str, Path], tmp_path: Path) -> None:
    source = pages["audio"].read_text(encoding="utf-8")
    file = tmp_path / "hole.html"
    file.write_text(source.replace("<footer>", f"{HOSTILE}<footer>"), encoding="utf-8")
    visited = Visit(browser, file)
    assert visited.page.locator("img[src=x]").count() == 1
    visited.page.wait_for_timeout(200)
    assert visited.page.title() != "owned"
    assert any("Content Security Policy" in each for each in visited.complaints)
    visited.context.close()


def test_search_finds_samples(visit: Any) -> None:
    page = visit("audio")
    assert page.locator("#found").inner_text() == f"{NUM_SAMPLES} samples"
    assert shown_rows(page) == 50
    page.get_by_role("button", name=re.compile("more")).click()
    assert shown_rows(page) == NUM_SAMPLES
    page.get_by_label("Search").fill("HEBREW dana")
    assert shown_rows(page) == 1 and page.locator("#found").inner_text() == f"1 of {NUM_SAMPLES} samples"
    assert HEBREW in page.locator("#all tbody tr:visible").inner_text()
    page.get_by_label("Search").fill("no such words anywhere")
    assert shown_rows(page) == 0 and page.locator("#found").inner_text() == f"0 of {NUM_SAMPLES} samples"


def test_columns_sort_both_ways(visit: Any) -> None:
    page = visit("audio")
    page.get_by_role("button", name="Sample", exact=True).click()
    assert page.locator("#all tbody tr").first.inner_text().startswith("hebrew")
    heads = page.locator("#all thead th")
    for index, column in ((2, "Word errors"), (3, "CER"), (4, "Confidence")):
        head = heads.nth(index)
        for direction in ("descending", "ascending"):
            head.get_by_role("button", name=column).press("Enter")
            assert head.get_attribute("aria-sort") == direction
            keys = page.locator("#all tbody").evaluate(
                "(body, index) => [...body.rows].map(row => Number(row.cells[index].dataset.sort))", index
            )
            assert keys == sorted(keys, reverse=direction == "descending") and len(keys) == NUM_SAMPLES
        assert page.locator("#all [aria-sort]").count() == 1


@pytest.mark.parametrize("modality", ["audio", "ocr"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(visit: Any, modality: str, scheme: str) -> None:
    """Contrast of at least 4.5, as WCAG 2.2 AA asks for, in both schemes."""
    page = visit(modality, color_scheme=scheme)
    worst = page.evaluate(
        """() => {
          const channels = (text) => text.match(/[\\d.]+/g).map(Number);
          const light = ([r, g, b]) => [r, g, b].map((each) => each / 255)
            .map((each) => each <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
            .reduce((sum, each, at) => sum + each * [0.2126, 0.7152, 0.0722][at], 0);
          const ground = (element) => {
            for (let each = element; each; each = each.parentElement) {
              const colour = channels(getComputedStyle(each).backgroundColor);
              if (colour.length === 3 || colour[3] === 1) return colour;
            }
          };
          const ratios = [];
          for (const element of document.querySelectorAll("main *, header *, nav *, footer *")) {
            if (element.closest("svg") || !element.checkVisibility()) continue;
            if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
            const [first, second] = [light(channels(getComputedStyle(element).color)), light(ground(element))];
            const ratio = (Math.max(first, second) + 0.05) / (Math.min(first, second) + 0.05);
            ratios.push([ratio, element.outerHTML.slice(0, 80)]);
          }
          return ratios.sort((a, b) => a[0] - b[0])[0].concat(ratios.length);
        }"""
    )
    assert worst[2] > 200 and worst[0] >= 4.5, worst
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(each) for each in re.findall(r"\d+", ground)[:3]) / 3
    assert brightness > 200 if scheme == "light" else brightness < 60


def test_wrong_characters_differ_by_more_than_colour(visit: Any) -> None:
    page = visit("audio")
    lines = "each => getComputedStyle(each).textDecorationLine"
    assert page.locator("#worst .sample del").first.evaluate(lines) == "line-through"
    assert page.locator("#worst .sample ins").first.evaluate(lines) == "underline"


@pytest.mark.parametrize("modality", ["audio", "ocr"])
def test_no_width_needs_to_scroll_sideways(visit: Any, modality: str) -> None:
    page = visit(modality)
    page.locator("details").evaluate_all("all => all.forEach(each => each.open = true)")
    for width in (320, 400, 768, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_right_to_left_text_runs_so(visit: Any) -> None:
    page = visit("audio")
    transcript = page.locator("#all tr", has_text="hebrew").locator(".transcript").first
    assert transcript.evaluate("each => getComputedStyle(each).direction") == "rtl"
    assert transcript.inner_text() == HEBREW


def test_a_reader_without_eyes_or_mouse_finds_the_way(visit: Any) -> None:
    page = visit("audio")
    for role in ("banner", "navigation", "main", "contentinfo"):
        assert page.get_by_role(role).count() == 1, role
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    missing = """() => [...document.querySelectorAll(
      "svg:not([aria-label]), img:not([alt]), audio:not([aria-label]), th:not([scope]), section:not([aria-labelledby])"
    )].map(each => each.outerHTML.slice(0, 80))"""
    assert page.evaluate(missing) == []
    levels = page.locator("h1, h2, h3").evaluate_all("all => all.map(each => Number(each.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(next <= level + 1 for level, next in pairwise(levels))


def test_without_script_all_samples_are_there(visit: Any) -> None:
    page = visit("audio", java_script_enabled=False)
    assert shown_rows(page) == NUM_SAMPLES


def test_it_prints(visit: Any) -> None:
    page = visit("audio", color_scheme="light")
    assert page.pdf()[:5] == b"%PDF-"
    page.emulate_media(media="print")
    assert page.locator("audio:visible").count() == 0 and not page.locator("nav").is_visible()


def test_all_samples_are_printed(visit: Any) -> None:
    page = visit("audio")
    page.fill("#search", "hebrew")
    assert shown_rows(page) == 1
    page.emulate_media(media="print")
    assert shown_rows(page) == NUM_SAMPLES
