"""Numbers of things in sentences."""

import pytest

from common.wording import out_of, plural, said_of


@pytest.mark.parametrize(
    ("number", "total", "what", "sentence"),
    [
        (1, 3, "are empty", "1 of 3 samples is empty"),
        (2, 3, "are empty", "2 of 3 samples are empty"),
        (1, 1, "were lost", "1 of 1 sample was lost"),
        (1, 2, "have two", "1 of 2 samples has two"),
        (1, 2, "stand", "1 of 2 samples stands"),
        (0, 1, "stand", "0 of 1 sample stand"),
        (1, 1234, "", "1 of 1,234 samples"),
    ],
)
def test_sentences_agree_with_their_numbers(number: int, total: int, what: str, sentence: str) -> None:
    assert out_of(number, total, "sample", what) == sentence
    assert said_of(2, what) == what


def test_one_and_many() -> None:
    assert [plural(number, "file is", "files are") for number in (0, 1, 2)] == [
        "0 files are",
        "1 file is",
        "2 files are",
    ]
