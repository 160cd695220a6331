"""Lines whose letters join, stack or change places: which they are, and that they are shown as they are printed."""

import shutil
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont, features

from common.bidi import as_shown
from common.errors import GlyphoneError
from common.modality import generator
from common.samples import Sample
from common.text import TextSettings
from common.training.stream_settings import StreamSettings
from ocr import fonts, shaping
from ocr.corpora.synthetic import READER, SyntheticSettings
from ocr.glyphs import characters
from ocr.synthesis import parse, synthesise
from ocr.typesetting import Setting, ink
from pipelines.modalities import modality
from pipelines.streaming import recipe_of

DEJAVU = Path("/usr/share/fonts/truetype/dejavu")
SANS, MONO = f"{DEJAVU}/DejaVuSans.ttf", f"{DEJAVU}/DejaVuSansMono.ttf"
shapes = pytest.mark.skipif(not features.check("raqm"), reason="FriBiDi is not installed (Debian: libfribidi0)")
dejavu = pytest.mark.skipif(not Path(MONO).is_file(), reason="DejaVu is not installed (Debian: fonts-dejavu-core)")
RANDOM = generator(0, "test", "a")
# Letters that join both neighbours, and two that only join the one before; without lam, which melts into others.
JOINING, ENDING = "بتثجحخسشصضطعغفقكمنهي", "دذ"


@pytest.fixture
def stream(tmp_path: Path) -> Callable[..., Callable[[str], Sample]]:
    """Texts and direction → recipe of samples in the font of a folder."""
    shutil.copy(MONO, tmp_path)
    chosen = {"fonts": str(tmp_path), "num_validation": 0, "num_test": 0}
    made = StreamSettings(samples=5, ngrams=1.0, ngram_order=3, generator=chosen)

    def open_stream(texts: list[str], direction: Literal["ltr", "rtl"] = "ltr") -> Callable[[str], Sample]:
        return recipe_of(modality("ocr"), made, TextSettings(direction=direction), "pretraining", 1, texts)

    return open_stream


def drawn(text: str, key: str = SANS, direction: str = "rtl", **more) -> np.ndarray:
    return ink(text, Setting(key, 40, direction=direction, **more), RANDOM)


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """Share of the ink that is in both masks, at the best of three places; heights are from the bottom."""
    height = min(len(one), len(other))
    width = min(one.shape[1], other.shape[1])
    first = one[-height:, :width] > 128
    return max(
        2
        * np.sum(first & np.roll(other[-height:, :width] > 128, shift, axis=1))
        / (np.sum(first) + np.sum(other > 128))
        for shift in (-1, 0, 1)
    )


@pytest.mark.parametrize(
    "text", ["سلام", "ܫܠܡܐ", "שלום", "ދިވެހި", "हिन्दी", "தமிழ்", "ภาษา", "བོད", "မြန်မာ", "ខ្មែរ", "ᠮᠣᠩ", "a ﺏ", "ᰛᰩ"]
)
def test_scripts_that_are_shaped(text):
    assert shaping.is_shaped(text, "ltr")


@pytest.mark.parametrize(
    "text",
    [
        "Glyphone 12,5 – «é»",
        "a\u0364 Å",
        "Ελλάδα",
        "Русский",
        "ქართული",
        "Հայ",
        "አማርኛ",
        "漢字 かな",
        "한국어",
        "١٢ ٣",
        "",
    ],
)
def test_others_are_set_letter_by_letter_but_in_lines_from_right_to_left(text):
    assert not shaping.is_shaped(text, "ltr") and shaping.is_shaped(text, "rtl")


def test_the_scripts_are_those_whose_marks_stand_beside_or_join_their_letters():
    """Viramas join letters, spacing marks (Mc) change places; the names left out are of no such script of their own."""
    marks = {
        unicodedata.name(letter).partition(" ")[0]
        for letter in map(chr, range(sys.maxunicode))
        if unicodedata.category(letter) == "Mc" or unicodedata.combining(letter) == 9
    }
    assert marks - shaping.SCRIPTS <= {"HANGUL", "KHAROSHTHI", "MIAO", "MUSICAL", "TIFINAGH", "VEDIC", "VIETNAMESE"}


def test_other_texts_need_no_library(monkeypatch):
    """The default corpus is drawn on machines without FriBiDi, and by nothing else where it is."""
    monkeypatch.setattr(features, "check", lambda name: False)
    monkeypatch.setattr(shaping, "draw", lambda *_: pytest.fail("shaped"))
    for each in READER.read(SyntheticSettings(num_train=30, num_validation=0, num_test=0), Path(), 3):
        assert synthesise(each).size > 4


@dejavu
def test_a_missing_library_is_named_before_the_first_picture(monkeypatch, stream):
    monkeypatch.setattr(features, "check", lambda name: False)
    assert stream(["abc"])("stream/0/0").text
    with pytest.raises(GlyphoneError, match=r"'س' needs FriBiDi, since ARABIC LETTER SEEN joins.*libfribidi0"):
        stream(["abc abc abc", "abس"])
    with pytest.raises(GlyphoneError, match=r"needs FriBiDi, since the line reads from right to left.*libfribidi0"):
        stream(["12"], "rtl")
    with pytest.raises(GlyphoneError, match=r"'سلام' needs FriBiDi"):
        drawn("سلام", direction="ltr")


@shapes
@dejavu
@given(word=st.text(JOINING, min_size=3, max_size=6), last=st.sampled_from(["", *ENDING]))
@settings(max_examples=30)
def test_letters_of_a_word_join(word, last):
    line = drawn(word + last)
    assert line.shape[1] < sum(map(fonts.load(SANS, 40, 4, 4).getlength, word + last))
    assert line.max(axis=0).min() > 40  # no column without ink: one stroke


@shapes
@dejavu
@given(st.text(JOINING + ENDING, min_size=1, max_size=5), st.text(JOINING + ENDING, min_size=1, max_size=5))
@settings(max_examples=30)
def test_what_is_read_first_stands_at_the_right(first, second):
    def misfit(left: np.ndarray, right: np.ndarray) -> float:
        """How much the ink at both ends of the line is another than that of two words."""
        ends = (line[:, : left.shape[1]], left), (line[:, -right.shape[1] :], right)
        return sum(np.abs(end.sum(axis=0, dtype=int) - word.sum(axis=0, dtype=int)).mean() for end, word in ends)

    one, two = drawn(first), drawn(second)
    for direction in ("rtl", "ltr"):  # letters of these scripts are read from the right in both
        line = drawn(f"{first} {second}", direction=direction)
        assert misfit(two, one) < 1000 and misfit(two, one) <= misfit(one, two)


mixed = st.text(st.sampled_from(JOINING + ENDING + "אבג12٣ab .,-%/:()[]"), min_size=1, max_size=12)


def columns(text: str) -> np.ndarray:
    """Ink in each column of a line from right to left whose characters are 59 columns wide."""
    font = fonts.load(MONO, 98, 4, 4, ImageFont.Layout.RAQM)
    return shaping.draw(text, font, "rtl")[0].astype(int).sum(axis=0)[1:-1]


@shapes
@dejavu
@given(st.text("ابتثجحخدطعغمهو12٣ab .,-%/:", min_size=1, max_size=12))  # none reaches beyond its cell
@example("52 (تم) abc 12.5 a(b) ت")
def test_each_character_stands_where_its_label_does(text):
    """In a face whose characters are all as wide: the cells of a line, from the left, are those of ``as_shown``."""
    cells = columns(text).reshape(len(text), 59)
    for letter, cell in zip(as_shown(text), cells, strict=True):
        if unicodedata.bidirectional(letter) == "AL":  # its form is another beside others
            assert cell.any()
        else:
            # A bracket shows the side from which it is read.
            mirrored = letter.translate(str.maketrans("()", ")("))
            assert any(np.array_equal(cell, columns(each)) for each in (letter, mirrored)), (text, letter)


@shapes
@dejavu
@given(text=mixed)
def test_order_is_that_of_fribidi(text):
    """An algorithm that is not ours."""
    font = fonts.load(SANS, 40, 4, 4, ImageFont.Layout.RAQM)
    ours, baseline = shaping.draw(text, font, "rtl")
    image = Image.new("L", ours.shape[::-1])
    left = font.getbbox(text, anchor="ls", direction="rtl")[0]
    ImageDraw.Draw(image).text((1 - left, baseline), text, 255, font, anchor="ls", direction="rtl")
    assert np.array_equal(ours, np.asarray(image))


@shapes
@dejavu
def test_what_a_typesetter_does_not_do_to_joined_letters():
    plain = drawn("كتاب")
    assert np.array_equal(plain, drawn("كتاب", tracking=0.5, initial=1.4, wobble=0.06))
    assert len(drawn("ـ", whole_line=True)) > 2 * len(drawn("ـ"))


@shapes
@pytest.mark.parametrize("key", fonts.keys("rajdhani")[:1])
def test_letters_of_devanagari_change_places(key):
    """The sign of i is read behind its letter and stands before it."""
    alone, with_sign = drawn("क", key, "ltr"), drawn("कि", key, "ltr")
    assert with_sign.shape[1] > alone.shape[1] and alike(with_sign[:, -alone.shape[1] :], alone) > 0.7


@shapes
def test_hebrew_is_read_from_the_right():
    (key,) = [each for each in fonts.keys("cardo") if "Regular" in each]
    line, first, last = drawn("אבש", key), drawn("א", key), drawn("ש", key)
    assert alike(line[:, -first.shape[1] :], first) > 0.9 < alike(line[:, : last.shape[1]], last)


@shapes
@dejavu
def test_a_stream_from_right_to_left(stream):
    texts = ["كتاب 12 قديم", "سلام (من) كتاب"]
    recipe = stream(texts, "rtl")
    for number in range(5):
        made = recipe(f"stream/0/{number}")
        assert parse(made.path).direction == "rtl" and set(made.text) <= set("".join(texts))
        assert parse(made.path).style == "clean" and np.array_equal(synthesise(made), synthesise(made))
    assert parse("synthesis:1:scene+marks+rtl/keep/a/b").marks


def test_faces_of_a_script_are_chosen_by_name_alone():
    held_out = frozenset({"validation", "test"})
    of_script = {each for families in fonts.SCRIPT_FAMILIES.values() for each in families.split()}
    assert fonts.families() == fonts.all_families()[: len(fonts.families())] and not of_script & set(fonts.families())
    assert set(fonts.families(("arabic", "slab"))) == {
        *fonts.SCRIPT_FAMILIES["arabic"].split(),
        *fonts.families(("slab",)),
    }
    pytest.importorskip("fontpkg_amiri", reason="the fonts of requirements/fonts.in are not all installed")
    for split in ("train", *held_out):
        assert set(fonts.faces_of_split(split, held_out, ("arabic",))) <= of_script
    keys = [key for family in fonts.families(("arabic",)) for key in fonts.keys(family)]
    assert all(characters(key) >= set(JOINING + "لاأإآؤئةىء،؛؟ 0123456789") for key in keys)
