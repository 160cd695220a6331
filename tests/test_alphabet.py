from itertools import groupby, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.alphabet import BLANK, Alphabet, AlphabetError, needed_slices

QUICK = settings(max_examples=100)
texts = st.text(st.sampled_from("abcé ß日"), max_size=10)


@QUICK
@given(known=st.lists(texts, min_size=1, max_size=5))
def test_what_is_encoded_is_decoded(known: list[str]) -> None:
    alphabet = Alphabet.of_texts(known)
    assert len(alphabet) == len(set("".join(known))) + 1
    for text in known:
        labels = alphabet.encode(text)
        assert BLANK not in labels and all(0 < label < len(alphabet) for label in labels)
        assert alphabet.decode(labels) == text
        # Blanks give nothing, wherever they stand.
        assert alphabet.decode([BLANK, *(each for label in labels for each in (label, BLANK))]) == text
        assert alphabet.unknown(text) == []


@QUICK
@given(known=st.lists(texts, max_size=5))
def test_the_order_of_texts_does_not_matter(known: list[str]) -> None:
    alphabet, backwards = Alphabet.of_texts(known), Alphabet.of_texts(reversed(known))
    assert alphabet == backwards and hash(alphabet) == hash(backwards)
    assert list(alphabet.symbols) == sorted(set("".join(known)))


@QUICK
@given(known=texts, text=texts)
def test_unknown_characters_are_named(known: str, text: str) -> None:
    alphabet = Alphabet.of_texts([known])
    missing = alphabet.unknown(text)
    assert missing == list(dict.fromkeys(each for each in text if each not in known))
    if missing:
        with pytest.raises(AlphabetError) as caught:
            alphabet.encode(text)
        assert repr(missing) in str(caught.value) and repr(text) in str(caught.value)
    else:
        assert alphabet.decode(alphabet.encode(text)) == text


def test_empty_alphabet_has_the_blank_alone() -> None:
    assert len(Alphabet([])) == len(Alphabet.of_texts([])) == 1
    assert Alphabet([]).encode("") == []


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        (["a", ""], "one character, not ''"),
        (["ab"], "one character, not 'ab'"),
        (["e\u0301"], "one character"),
        (["a", "b", "a"], r"symbols stand twice: \['a'\]"),
    ],
)
def test_symbols_that_cannot_be(symbols: list[str], message: str) -> None:
    with pytest.raises(AlphabetError, match=message):
        Alphabet(symbols)


def test_alphabets_differ_by_order() -> None:
    assert Alphabet("ab") != Alphabet("ba")
    assert Alphabet("ab") != ("a", "b")


def collapse(path: tuple[int, ...]) -> list[int]:
    """CTC's own rule: merge repeats, then drop blanks (Graves et al. 2006)."""
    return [label for label, _ in groupby(path) if label != BLANK]


@pytest.mark.parametrize("text", ["", "a", "aa", "ab", "aab", "aba", "aaa", "abba"])
def test_needed_slices_against_all_paths(text: str) -> None:
    """The shortest of all paths that collapse to the text is as long as needed_slices says."""
    alphabet = Alphabet("ab")
    labels = alphabet.encode(text)
    for length in range(needed_slices(text) + 1):
        fits = any(collapse(path) == labels for path in product(range(len(alphabet)), repeat=length))
        assert fits == (length >= needed_slices(text))
