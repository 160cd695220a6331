"""Rendered text: the same recipe gives the same picture, fonts are disjoint between splits, ink is really there."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import GlyphoneError, SampleError
from common.modality import generator
from common.samples import SPLITS, Sample
from ocr import fonts, glyphs, words
from ocr.corpora.synthetic import READER, SyntheticSettings
from ocr.distortions import STRENGTHS, ground, photograph, warp
from ocr.slices import SliceSettings, slices
from ocr.synthesis import parse, path, synthesise
from ocr.typesetting import CASES, Setting, case_of, ink

ROOT = Path()
KEYS = [key for family in fonts.families() for key in fonts.keys(family)]


def sample(text="Glyphone", style="scene", case="keep", key="abel/Abel-Regular", seed=1, name="a"):
    return Sample(id=name, path=path(seed, style, case, key), text=text, group="g", split="train")


@settings(max_examples=80)
@given(
    text=st.text(words.LETTERS_AND_DIGITS, min_size=1, max_size=20),
    style=st.sampled_from(["clean", "scene", "clean+marks", "scene+marks"]),
    key=st.sampled_from(KEYS),
    case=st.sampled_from(sorted(CASES)),
    seed=st.integers(0, 1000),
)
def test_a_recipe_is_a_picture(text, style, key, case, seed):
    recipe = sample(text, style, case, key, seed)
    image = synthesise(recipe)
    assert image.dtype == np.uint8 and image.ndim == 2 and min(image.shape) >= 2
    assert np.array_equal(image, synthesise(recipe))
    assert int(image.max()) - int(image.min()) > 8


def test_everything_in_the_recipe_counts():
    first = synthesise(sample())
    for other in (
        sample(text="Glyphons"),
        sample(style="clean"),
        sample(key="lobster/Lobster-Regular"),
        sample(seed=2),
        sample(name="b"),
        sample(case="upper"),
    ):
        assert not np.array_equal(first, synthesise(other))


def test_case_of_the_recipe_survives_normalisation():
    """A text that prepare has put in upper case is rendered in the case it was drawn in."""
    for drawn in ("Restaurant", "restaurant", "RESTAURANT", "Open daily"):
        assert CASES[case_of(drawn)](drawn.upper()) == drawn
    random, setting = generator(0, "test", "a"), Setting("abel/Abel-Regular", 40)
    small, capital = (ink(CASES[case]("RESTAURANT"), setting, random) for case in ("lower", "upper"))
    assert small.shape[1] < capital.shape[1]
    recipes = [sample(text, "clean", case_of("Rest"), name="a") for text in ("REST", "rest")]
    assert [CASES[parse(each.path).case](each.text) for each in recipes] == ["Rest", "Rest"]


@settings(max_examples=200)
@given(st.text(words.LETTERS_AND_DIGITS + " .,'-", max_size=15))
def test_case_of_gives_the_text_back(text):
    case = case_of(text)
    if case != "keep":
        assert CASES[case](text.upper()) == CASES[case](text.lower()) == text


@pytest.mark.parametrize(
    "path_",
    [
        "synthesis:",
        "synthesis:x:clean/keep/abel/Abel-Regular",
        "synthesis:1:grim/keep/a/b",
        "synthesis:1:clean/odd/a/b",
        "synthesis:1:clean/keep/abel",
    ],
)
def test_bad_recipes(path_):
    with pytest.raises(SampleError) as caught:
        parse(path_)
    assert path_ in str(caught.value)


def test_missing_fonts_and_styles_are_named():
    with pytest.raises(GlyphoneError, match="fontpkg-nowhere is not installed"):
        synthesise(sample(key="nowhere/Nowhere-Regular"))
    with pytest.raises(GlyphoneError, match="no such file"):
        synthesise(sample(key="abel/Abel-Ghost"))
    with pytest.raises(GlyphoneError, match="font style 'gothic'; allowed are condensed"):
        fonts.families(("gothic",))


def test_text_without_ink():
    with pytest.raises(SampleError) as caught:
        synthesise(sample(text=" "))
    assert caught.value.code == "empty_signal"


def test_every_face_has_the_characters_of_the_corpus():
    random = generator(0, "test", "a")
    for key in KEYS:
        font = fonts.load(key, 32, 4, 4)
        missing = bytes(font.getmask("\ufffe"))
        for character in SyntheticSettings().characters.replace(" ", ""):
            assert bytes(font.getmask(character)) != missing, (key, character)
        assert ink("Hamburg 123", Setting(key, 32), random).shape[1] > 40


def test_listed_packages_are_pinned(repository):
    text = (repository / "requirements" / "fonts.in").read_text()
    pinned = re.findall(r"^fontpkg-(\S+?)==\S+$", text, re.M)
    assert sorted(pinned) == sorted(fonts.all_families())
    assert len(pinned) == len(set(pinned))


def test_fonts_are_disjoint_between_splits():
    held_out = frozenset({"validation", "test"})
    of_split = {split: set(fonts.faces_of_split(split, held_out)) for split in SPLITS}
    assert sum(map(len, of_split.values())) == len(set.union(*of_split.values())) == len(fonts.families())
    assert all(len(each) >= 10 for each in of_split.values())
    assert set(fonts.faces_of_split("train", frozenset())) == set(fonts.families())


def test_corpus():
    chosen = SyntheticSettings(num_train=300, num_validation=60, num_test=60)
    samples = list(READER.read(chosen, ROOT, 7))
    assert not any("+marks" in each.path for each in samples)  # the text is all that stands there
    assert samples == list(READER.read(chosen, ROOT, 7)) != list(READER.read(chosen, ROOT, 8))
    assert len({each.id for each in samples}) == len(samples) == 420
    groups = {split: {each.group for each in samples if each.split == split} for split in SPLITS}
    assert not (groups["train"] & groups["test"] or groups["train"] & groups["validation"])
    assert not groups["test"] & groups["validation"]
    assert all(set(each.text) <= set(chosen.characters) and each.text == each.text.strip() for each in samples)
    more = list(READER.read(chosen.model_copy(update={"num_train": 310}), ROOT, 7))
    assert set(samples) < set(more)  # a greater corpus holds the smaller one


def test_letters_and_digits_only():
    chosen = SyntheticSettings(
        num_train=300, num_validation=0, num_test=0, characters=words.LETTERS_AND_DIGITS, lines=0, unlabelled_marks=True
    )
    samples = list(READER.read(chosen, ROOT, 7))
    assert all(each.text.isalnum() and each.text.isascii() for each in samples)
    assert all("+marks/" in each.path for each in samples)
    assert {each.group for each in samples} > {"font/abel"} and len({each.group for each in samples}) > 80


def test_prices_stand_in_faces_that_have_the_currency():
    chosen = SyntheticSettings(
        num_train=4000, num_validation=0, num_test=0, characters="0123456789.€£", words=0, lines=0
    )
    samples = list(READER.read(chosen, ROOT, 1))
    assert all(glyphs.shown(each.text, parse(each.path).key) == each.text for each in samples)
    assert {"€", "£"} < set("".join(each.text for each in samples))


def test_kinds():
    random = generator(0, "test", "a")
    everything = SyntheticSettings().characters
    assert all(any(c.isdigit() for c in words.text("numbers", everything, random)) for _ in range(100))
    assert np.mean([" " in words.text("lines", everything, random) for _ in range(100)]) > 0.9
    assert all(" " not in words.text("words", everything, random) for _ in range(100))
    with pytest.raises(ValueError, match="'poems'; allowed are words, numbers, lines"):
        words.text("poems", everything, random)
    with pytest.raises(GlyphoneError, match=r"no text of kind words .* set words to 0"):
        words.text("words", "0123456789", random)


def test_clean_renders_are_legible_slices():
    """The ink of a clean picture stands out from its ground after slicing, in both polarities."""
    chosen = SyntheticSettings(num_train=60, num_validation=0, num_test=0, words=1, numbers=0, lines=0)
    shares = [float(slices(synthesise(each), SliceSettings()).mean()) for each in READER.read(chosen, ROOT, 3)]
    assert 0.1 < np.mean(shares) < 0.5


def test_unknown_text_is_rendered_by_its_own_recipe():
    one, other = sample(text="AB"), replace(sample(text="AB"), split="test", group="x")
    assert np.array_equal(synthesise(one), synthesise(other))  # split and group are no part of the recipe


def test_narrow_letters_stay_whole():
    """An l or I of a scene, turned and tilted, has ink in every row between its ends."""
    bar = np.full((40, 5, 3), 255, np.uint8)
    for number in range(300):
        turned = warp(bar, STRENGTHS["scene"], generator(number, "test", "bar"))[..., 0]
        assert turned.shape[0] > 20 and turned.max(axis=1).min() > 40, number


def test_lines_that_are_too_long_to_be_bent_are_drawn_straight():
    line = np.full((12, 33_000, 3), 255, np.uint8)
    turned = warp(line, replace(STRENGTHS["clean"], bend=1.0), generator(1, "test", "line"))
    assert turned.shape[1] > 30_000 and turned.max() == 255


def test_lines_that_are_too_long_for_jpeg_are_pictures_too():
    """JPEG holds 65,500 columns; a text of a thousand letters ended in a traceback."""
    chosen = replace(STRENGTHS["clean"], lowest_quality=1)
    line = np.zeros((26, 70_000), np.float32)
    for seed in range(4):
        assert photograph(line, chosen, generator(seed, "test", "line")).shape[1] >= 70_000


@pytest.mark.parametrize("height", [1, 3, 5])
def test_low_pictures_have_grounds(height):
    """As of a lone dash or dot: fewer rows than a slat or a foreign edge is thick."""
    rough = replace(STRENGTHS["scene"], texture=1.0, clutter=1.0)
    for number in range(100):
        assert ground((height, 20), 200.0, 100.0, rough, generator(number, "test", "low")).shape == (height, 20)


def test_small_and_great_letters_differ_in_whole_lines():
    random = generator(0, "test", "a")
    small, great = (
        ink(letter, Setting("abel/Abel-Regular", 40, whole_line=True), random).shape[0] for letter in ("x", "X")
    )
    assert small == great
    assert ink("x", Setting("abel/Abel-Regular", 40), random).shape[0] < 0.9 * small


@pytest.mark.parametrize("key", [key for key in KEYS if "\u0364" in glyphs.characters(key)])
@pytest.mark.parametrize("tracking", [0.0, 0.5])
def test_a_combining_mark_stands_above_its_letter(key, tracking):
    random, setting = generator(0, "test", "a"), Setting(key, 40, tracking=tracking)
    bare, marked, capital = (ink(text, setting, random) for text in ("ab", "a\u0364b", "A\u0364n"))
    assert abs(marked.shape[1] - bare.shape[1]) <= 8
    raised = capital[: -ink("A", setting, random).shape[0]]  # rows above the letter
    assert len(raised) > 6 and raised[:, 32:].max() < 128 < raised[:, :32].max()


def test_faces_of_capitals_hold_texts_of_capitals():
    chosen = SyntheticSettings(num_train=800, num_validation=0, num_test=0)
    seen = [each for each in READER.read(chosen, ROOT, 7) if each.group.removeprefix("font/") in fonts.CAPITALS_ONLY]
    assert seen and all(each.text == each.text.upper() for each in seen)
    assert any("/title/" in each.path for each in seen)


def test_small_letters_alone_stand_in_no_face_of_capitals():
    chosen = SyntheticSettings(num_train=400, num_validation=0, num_test=0, characters="abcdefghijklmnopqrstuvwxyz019 ")
    assert all(set(each.text) <= set(chosen.characters) for each in READER.read(chosen, ROOT, 7))


@pytest.mark.parametrize("key", KEYS[:: len(KEYS) // 25])
def test_a_face_has_the_characters_that_it_draws(key):
    """What the file says it has, against what drawing it shows: another mask than that of a missing character."""
    font = fonts.load(key, 40, 4, 4)
    missing = font.getmask("\U000f1234")

    def drawn(letter):
        mask = font.getmask(letter)
        return mask.size != missing.size or bytes(mask) != bytes(missing)

    probes = "azAZ09äßſ⸗\u0364—„ꝛé§€ąłΩжא"
    assert {letter for letter in probes if drawn(letter)} == set(probes) & glyphs.characters(key)


@given(text=st.text("abcXYZ19äß ſ⸗\u0364„", min_size=1, max_size=12), number=st.integers(0, 10_000))
@settings(max_examples=40)
def test_a_given_text_stands_in_a_face_that_has_it(text, number):
    text = " ".join(text.split())
    text = text if text.strip(" \u0364") else ""  # marks alone are no text
    chosen = SyntheticSettings(num_validation=0, num_test=0)
    made = READER.recipe(chosen, 1, f"stream/0/{number}", text)
    assert made == READER.recipe(chosen, 1, f"stream/0/{number}", text)
    key = parse(made.path).key
    assert glyphs.shown(made.text, key) is not None
    if key.split("/")[0] not in fonts.CAPITALS_ONLY:
        assert made.text == text  # some face has every one of these
    if text:
        assert synthesise(made).size > 4


def test_capitals_that_a_face_lacks_are_not_written():
    """The capital of µ is Greek, and no face of capitals has it."""
    made = [READER.recipe(SyntheticSettings(), 1, f"stream/0/{number}", "5 µm") for number in range(200)]
    assert {each.text for each in made} == {"5 µm", "5 µM"}


def test_characters_that_no_face_has_are_left_out_of_a_given_text():
    made = READER.recipe(SyntheticSettings(font_styles=("mono",)), 1, "a", "ab \U00012000c")
    assert made.text.lower() == "ab c"


@pytest.mark.parametrize("text", ["\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u200b", "\U00012000\ufe0f", "\u0308"])
def test_of_a_given_text_nothing_is_left_where_no_letter_is(text):
    """Of an emoji its joiners stayed: boxes under a label that nobody sees, or a training that ended without ink."""
    assert not READER.recipe(SyntheticSettings(), 1, "a", text).text
    assert READER.recipe(SyntheticSettings(), 1, "a", f"ab{text}").text.startswith("ab")


def test_recipes_of_a_stream_leave_out_what_is_held_back():
    chosen = SyntheticSettings()
    held = {
        f"font/{family}"
        for split in ("validation", "test")
        for family in fonts.faces_of_split(split, frozenset(SPLITS))
    }
    made = [READER.recipe(chosen, 1, f"stream/0/{number}", None) for number in range(300)]
    assert not held & {each.group for each in made} and {each.split for each in made} == {"train"}
    assert len({each.text for each in made}) > 200
