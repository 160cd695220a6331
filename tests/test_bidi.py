"""Lines that read from right to left: order of characters as shown and as read, and a model of such lines."""

import unicodedata
from ctypes import CDLL, byref, c_int8, c_uint32
from ctypes.util import find_library
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common.alphabet import BLANK, Alphabet
from common.bidi import as_read, as_shown, read_order, shown_order
from common.decoding import DecodingSettings, decode
from common.decoding.hypothesis import words_of
from common.errors import GlyphoneError
from common.language.folder import NO_LANGUAGE
from common.tables import read_table
from common.text import TextSettings

QUICK = settings(max_examples=150)
HEBREW, ARABIC = "אבגד", "ابتث"
lines = st.text(st.sampled_from(HEBREW + ARABIC + "12٣ab .,-%/:"), max_size=14)
bracketed = st.text(st.sampled_from(HEBREW + ARABIC + "12٣ab .,-%/:()[]〈〉"), max_size=14)
# Nothing that more than one order of reading shows in the same way: no signs beside numbers, no foreign letters.
plain = st.lists(
    st.text(st.sampled_from(HEBREW + ARABIC), min_size=1, max_size=4) | st.text(st.sampled_from("0123"), min_size=1),
    max_size=5,
).map(" ".join)
# The same with foreign words, which stand in brackets behind a letter of the line: one order of reading again.
insertions = st.lists(
    st.tuples(
        st.text(st.sampled_from(HEBREW + ARABIC), min_size=1, max_size=4),
        st.sampled_from(["()", "[]", "{}"]),
        plain.filter(bool) | st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=3).map(" ".join),
    ).map(lambda parts: f"{parts[0]} {parts[1][0]}{parts[2]}{parts[1][1]}"),
    max_size=4,
).map(" ".join)

# By UAX 9 with the base direction right to left, worked by hand: (logical, from left to right).
KNOWN = [
    ("", ""),
    ("אבג", "גבא"),
    ("אבג 12 דה", "הד 12 גבא"),
    ("א1,2", "1,2א"),  # W4: a separator between European numbers
    ("א1-2", "1-2א"),
    ("ا1-2", "2-1ا"),  # W2: behind an Arabic letter they are Arabic ones, which a hyphen parts
    ("ا1,2", "1,2ا"),
    ("א5%", "5%א"),  # W5
    ("ا5%", "%5ا"),
    ("אבג abc de דה", "הד abc de גבא"),  # N1
    ("א ab, גד", "דג ,ab א"),  # N2
    ("א a1 ב", "ב a1 א"),  # W7
    ("(אב)", ")בא("),
    # N0; the first three are the standard's own examples, its capitals as Hebrew letters.
    ("אב(גד[&ef]!)gh", "gh)!]ef&[דג(בא"),
    ("smith (fabrikam אבג) דהו", "והד )גבא fabrikam( smith"),
    ("אבג book(s)", "book(s) גבא"),
    ("א (abc de) ב", "ב )abc de( א"),
    ("א ab (cd)", "ab (cd) א"),
    ("(abc (de", "abc (de("),  # none of a pair: neutrals
    ("א a(1)", "a(1) א"),  # W7: a foreign number
    ("א a(٣)", ")٣(a א"),
    ("א a[b(c])", ")a[b(c] א"),  # what crosses is no pair
    ("a\u2329b\u3009 א", "א a\u2329b\u3009"),  # equivalent to \u3008 and \u3009
    ("a(b)\u0301 א", "א a(b)\u0301"),  # marks go with their bracket
]


@pytest.mark.parametrize(("text", "shown"), KNOWN)
def test_known_lines(text: str, shown: str) -> None:
    assert as_shown(text) == shown
    assert as_read(shown) == text


@QUICK
@given(lines)
@example("a::::::::b:")  # more signs than could be tried in all ways
@example("א 1% %2 a-1:::::b3, ٣%:٣ 12:3:::::::::::::4 b")
def test_orders_are_permutations_and_what_is_read_is_shown_so(text: str) -> None:
    shown = as_shown(text)
    assert sorted(shown_order(text)) == sorted(read_order(shown)) == list(range(len(text)))
    assert as_shown(as_read(shown)) == shown


@QUICK
@given(bracketed)
@example("(" * 20 + "a1" * 10 + "א" + ")1" * 20)
def test_orders_of_lines_with_brackets_are_permutations(text: str) -> None:
    assert sorted(shown_order(text)) == sorted(read_order(as_shown(text))) == list(range(len(text)))


@QUICK
@given(st.text(st.sampled_from(HEBREW + ARABIC + "12٣ab .,-%/:)]"), max_size=14))
def test_brackets_without_a_partner_are_as_other_signs(text: str) -> None:
    signs = str.maketrans(")]", "!*")
    assert as_shown(text).translate(signs) == as_shown(text.translate(signs))


def test_no_more_than_63_brackets_are_open() -> None:
    """BD16: with one more the search for pairs ends."""
    foreign = "a" + "(" * 63 + "b" + ")" * 63
    assert as_shown(foreign + "א") == "א" + foreign
    assert as_shown("a" + "(" * 64 + "b" + ")" * 64 + "א") == "א" + ")" * 64 + "a" + "(" * 64 + "b"


@pytest.mark.skipif(find_library("fribidi") is None, reason="FriBiDi is not installed (Debian: libfribidi0)")
@QUICK
@given(bracketed)
def test_order_is_that_of_fribidi(text: str) -> None:
    """An algorithm that is not ours."""
    fribidi = CDLL(find_library("fribidi"))
    size = len(text)
    characters = (c_uint32 * size)(*map(ord, text))
    types, brackets, levels = (c_uint32 * size)(), (c_uint32 * size)(), (c_int8 * size)()
    fribidi.fribidi_get_bidi_types(characters, size, types)
    fribidi.fribidi_get_bracket_types(characters, size, types, brackets)
    from_the_right = c_uint32(0x111)  # FRIBIDI_TYPE_RTL
    fribidi.fribidi_get_par_embedding_levels_ex(types, brackets, size, byref(from_the_right), levels)
    order = list(range(size))
    for lowest in (2, 1):  # L2
        start = 0
        for place in range(size + 1):
            if place == size or levels[place] < lowest:
                order[start:place] = reversed(order[start:place])
                start = place + 1
    assert shown_order(text) == order


@QUICK
@given(insertions)
def test_brackets_come_back(text: str) -> None:
    assert as_read(as_shown(text)) == text


@QUICK
@given(plain)
def test_letters_and_numbers_come_back(text: str) -> None:
    assert as_read(as_shown(text)) == text


@QUICK
@given(st.text(st.sampled_from(HEBREW + ARABIC + " "), max_size=10))
def test_letters_alone_are_turned_round(text: str) -> None:
    assert as_shown(text) == text[::-1]


@QUICK
@given(lines)
def test_labels_are_in_the_order_of_slices_and_texts_in_that_of_reading(text: str) -> None:
    alphabet = Alphabet.of_texts([text], "rtl")
    labels = alphabet.encode(text)
    assert "".join(alphabet.symbols[label - 1] for label in labels) == as_shown(text)
    assert alphabet.decode(labels) == as_read(as_shown(text))
    # The default knows no directions at all.
    assert Alphabet.of_texts([text]).decode(Alphabet.of_texts([text]).encode(text)) == text
    assert Alphabet.of_texts([text]) == Alphabet(alphabet.symbols, TextSettings().direction)
    assert alphabet != Alphabet.of_texts([text])


def emissions_of(labels: list[int], num_labels: int) -> np.ndarray:
    """Log-probabilities float32 [T, V]: each label in two slices, a blank behind it."""
    path = [each for label in labels for each in (label, label, BLANK)]
    peaked = np.full((len(path), num_labels), 0.01 / num_labels)
    peaked[np.arange(len(path)), path] = 0.99
    return np.log(peaked / peaked.sum(1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("engine", ["greedy", "beam"])
def test_a_hypothesis_is_read_from_the_right(engine: str) -> None:
    text = "אב 12 גד"  # from the left: דג 12 בא
    alphabet = Alphabet.of_texts([text], "rtl")
    log_probs = emissions_of(alphabet.encode(text), len(alphabet))
    found = decode(log_probs, alphabet, DecodingSettings(engine=engine, beam_width=4, num_alternatives=2))
    assert found.text == text == "".join(symbol.text for symbol in found.symbols)
    assert [word.text for word in found.words] == ["אב", "12", "גד"]
    starts = [word.start for word in found.words]
    assert starts == sorted(starts, reverse=True) and found.words[0].end > found.words[0].start + 3
    one, two = (symbol for symbol in found.symbols if symbol.text in "12")
    assert (one.text, two.text) == ("1", "2") and one.end <= two.start
    # With the default the same emissions are written from the left.
    plainly = decode(log_probs, Alphabet(alphabet.symbols), DecodingSettings(engine="greedy"))
    assert plainly.text == as_shown(text)
    assert plainly.words == words_of(plainly.symbols)


def test_hotwords_are_refused() -> None:
    from common.decoding.decoder import fused

    with pytest.raises(GlyphoneError, match=r"hotwords: not for .* right to left"):
        fused(Alphabet("אב", "rtl"), DecodingSettings(engine="beam_lm", hotwords={"אב": 1.0}), NO_LANGUAGE)


def test_all_lines_of_a_real_corpus_come_back(shared_data: Path) -> None:
    rows = list(read_table(shared_data / "ocr/lines/arabic_gs/lines.tsv", required=("text",)))
    texts = [unicodedata.normalize("NFC", row["text"]) for row in rows]
    assert len(texts) == 400 and [as_read(as_shown(text)) for text in texts] == texts
