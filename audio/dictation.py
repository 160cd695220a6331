"""What people dictate to a machine: spelled names and places, codes of letters and numbers, telephone numbers, dates.

The names and words that are spelled come with the package ``zxcvbn`` (MIT), so no recipe's letters are those of a
handful of names.
"""

import numpy as np

from audio.sentences import DIGITS, LETTERS, MONTHS, ORDINALS, TEENS, TENS, below_hundred, pick

COMMANDS = ("RUBOUT", "ERASE")
SHORT = ("YES", "NO", "GO", "STOP", "HELP", "START", "REPEAT", "ENTER", "ERASE")
SPELLED = ("surnames", "female_names", "male_names", "english_wikipedia")
SPELLED_SHARES = (0.4, 0.12, 0.08, 0.4)
LENGTHS = range(3, 12)  # letters of what is spelled


def dictation(generator: np.random.Generator) -> str:
    """One utterance of one to a dozen words."""
    kinds = (_spelled, _code, _digits, _numbers, _date, _entered, _short)
    return kinds[generator.choice(len(kinds), p=(0.34, 0.2, 0.16, 0.08, 0.14, 0.04, 0.04))](generator)


def vocabulary() -> list[str]:
    """All words of dictation, sorted."""
    words = {*COMMANDS, *SHORT, *LETTERS, *DIGITS, *TEENS, *TENS, *MONTHS, *ORDINALS, "OH", "HUNDRED", "AND"}
    return sorted(words)


def _spelled(generator: np.random.Generator) -> str:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # transcribing does without the package

    words = FREQUENCY_LISTS[SPELLED[generator.choice(len(SPELLED), p=SPELLED_SHARES)]]
    while True:
        word = words[generator.integers(len(words))].upper()
        if len(word) in LENGTHS and set(word) <= set(LETTERS):
            return " ".join(word)


def _code(generator: np.random.Generator) -> str:
    letters = [pick(generator, LETTERS) for _ in range(generator.integers(1, 6))]
    command = [pick(generator, COMMANDS)] if generator.random() < 0.3 else []
    return " ".join([*command, *letters, _number(generator)])


def _digits(generator: np.random.Generator) -> str:
    """Three to ten digits, as of telephones and houses; zero is often called OH."""
    digits = [pick(generator, DIGITS) for _ in range(generator.integers(3, 11))]
    return " ".join("OH" if digit == "ZERO" and generator.random() < 0.4 else digit for digit in digits)


def _numbers(generator: np.random.Generator) -> str:
    return " ".join(_number(generator) for _ in range(generator.integers(1, 3)))


def _number(generator: np.random.Generator) -> str:
    draw = generator.random()
    if draw < 0.4:
        return " ".join(pick(generator, DIGITS) for _ in range(generator.integers(1, 5)))
    if draw < 0.9:
        return _below_hundred(generator)
    return f"{pick(generator, DIGITS[1:])} HUNDRED AND {_below_hundred(generator)}"


def _below_hundred(generator: np.random.Generator) -> str:
    return below_hundred(generator, teens=0.25, ones=0.8)


def _date(generator: np.random.Generator) -> str:
    """A day of birth: OCTOBER TWENTY FIRST NINETEEN SIXTY NINE, or TEN TWENTY ONE SIXTY NINE."""
    year = _below_hundred(generator)
    if generator.random() < 0.5:
        tens = f"{TENS[0]} " if generator.random() < 0.3 else ""
        day = pick(generator, ORDINALS[:9] if tens else ORDINALS)
        return f"{pick(generator, MONTHS)} {tens}{day} NINETEEN {year}"
    century = "NINETEEN " if generator.random() < 0.3 else ""
    return f"{pick(generator, (*DIGITS[1:], *TEENS[:3]))} {_below_hundred(generator)} {century}{year}"


def _entered(generator: np.random.Generator) -> str:
    return f"ENTER {_number(generator)}"


def _short(generator: np.random.Generator) -> str:
    return pick(generator, SHORT)
