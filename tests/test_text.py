import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from common.text import TextSettings, normalise

QUICK = settings(max_examples=200)
# Texts with much to do: combining marks, marks that reorder, odd blanks, byte order marks, letters that change length.
texts = st.text(st.one_of(st.sampled_from(" \t\r\n\u00a0\u2003\ufeffeE\u0301\u0323\u0345ßŉİΣς\u212b"), st.characters()))
cases = st.sampled_from(["keep", "lower", "upper"])


@QUICK
@given(text=texts, case=cases)
def test_normal_form(text: str, case: str) -> None:
    found = normalise(text, TextSettings(case=case))
    assert unicodedata.is_normalized("NFC", found)
    assert normalise(found, TextSettings(case=case)) == found
    assert found == found.strip() and "  " not in found and "\ufeff" not in found
    assert all(character == " " or not character.isspace() for character in found)


@QUICK
@given(text=texts, case=cases)
def test_spelling_of_the_same_text_does_not_matter(text: str, case: str) -> None:
    settings = TextSettings(case=case)
    found = normalise(text, settings)
    assert normalise(unicodedata.normalize("NFD", text.replace("\ufeff", "")), settings) == found
    assert normalise("\ufeff" + text.replace(" ", "\t "), settings) == found


@QUICK
@given(text=texts)
def test_nothing_but_blanks_is_dropped(text: str) -> None:
    kept = unicodedata.normalize("NFC", text.replace("\ufeff", ""))
    wanted = [character for character in kept if not character.isspace()]
    assert [character for character in normalise(text, TextSettings()) if character != " "] == wanted


@pytest.mark.parametrize(
    ("text", "changes", "wanted"),
    [
        ("", {}, ""),
        (" \r\n", {}, ""),
        ("\ufeffyes\r\n", {}, "yes"),
        ("\ufeff \ufeffyes", {}, "yes"),
        ("cafe\u0301", {}, "caf\u00e9"),
        ("Straße", {"case": "upper"}, "STRASSE"),
        ("STRASSE", {"case": "lower"}, "strasse"),
        ("Wachſtube", {"replace": {"ſ": "s"}}, "Wachstube"),
        ("a-b", {"replace": {"-": " "}}, "a b"),
        ("a - b", {"replace": {"-": ""}}, "a b"),
        ("ﬁne", {"replace": {"ﬁ": "fi"}}, "fine"),
        ("cafe\u0301", {"replace": {"e\u0301": "e"}}, "cafe"),
        ("Ä", {"case": "lower", "replace": {"ä": "ae"}}, "ae"),
        ("xy", {"replace": {"y": "\u0301", "x": "e"}}, "\u00e9"),
        ("line\u2028line", {}, "line line"),
    ],
)
def test_table(text: str, changes: dict, wanted: str) -> None:
    assert normalise(text, TextSettings(**changes)) == wanted


@pytest.mark.parametrize(
    "changes", [{"case": "title"}, {"replace": {"ab": "c"}}, {"replace": {"": "c"}}, {"caes": "upper"}]
)
def test_settings_that_cannot_be(changes: dict) -> None:
    with pytest.raises(ValidationError):
        TextSettings(**changes)


def test_keys_of_replace_are_named() -> None:
    with pytest.raises(ValidationError, match="each key must be one character, not 'ab'"):
        TextSettings(replace={"ab": "c"})
