"""The sentences of the embedded corpus: a small grammar of spelled names, numbers, dates and commands.

Texts are upper-case words; a single letter stands for its name. No word sounds like another one, or like a letter,
that could stand in its place.
"""

import re
from functools import lru_cache

import numpy as np

DIGITS = ("ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE")
TEENS = (
    "TEN", "ELEVEN", "TWELVE", "THIRTEEN", "FOURTEEN", "FIFTEEN", "SIXTEEN", "SEVENTEEN", "EIGHTEEN", "NINETEEN",
)  # fmt: skip
TENS = ("TWENTY", "THIRTY", "FORTY", "FIFTY", "SIXTY", "SEVENTY", "EIGHTY", "NINETY")
ORDINALS = (
    "FIRST", "SECOND", "THIRD", "FOURTH", "FIFTH", "SIXTH", "SEVENTH", "EIGHTH", "NINTH", "TENTH", "ELEVENTH",
    "TWELFTH", "THIRTEENTH", "FOURTEENTH", "FIFTEENTH", "SIXTEENTH", "SEVENTEENTH", "EIGHTEENTH", "NINETEENTH",
    "TWENTIETH",
)  # fmt: skip
MONTHS = (
    "JANUARY", "FEBRUARY", "MARCH", "APRIL", "MAY", "JUNE", "JULY", "AUGUST", "SEPTEMBER", "OCTOBER", "NOVEMBER",
    "DECEMBER",
)  # fmt: skip
DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
NAMES = (
    "ANNA", "BORIS", "CLARA", "DAVID", "EMMA", "FELIX", "GRACE", "HUGO", "IRENE", "JACK", "KAREN", "LUCAS", "MARIA",
    "NORA", "OSCAR", "PAULA", "QUINN", "RITA", "SIMON", "TINA", "URSULA", "VERA", "WANDA", "MAX", "YVES", "ZELDA",
)  # fmt: skip
THINGS = ("LIGHT", "RADIO", "KITCHEN", "GARDEN", "WINDOW", "DOOR", "MUSIC", "HEATING", "ALARM", "CAMERA")
VERBS = ("OPEN", "CLOSE", "START", "STOP", "CHECK", "SHOW")
SWITCHES = ("ON", "OFF", "UP", "DOWN")
LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
SHORT = ("YES", "NO", "HELP", "REPEAT", "CANCEL", "GO")
# Rank r of the dictionary is drawn in proportion to 1 / (r + RANK_OFFSET): flatter than speech, for rarer words.
RANK_OFFSET = 30.0


def sentence(generator: np.random.Generator) -> str:
    """One sentence of one to seven words, a second or two long."""
    kinds = (_spelling, _digits, _number, _date, _command, _short)
    return kinds[generator.choice(len(kinds), p=(0.24, 0.2, 0.16, 0.18, 0.18, 0.04))](generator)


def digit(generator: np.random.Generator) -> str:
    """One digit, as people enter them one by one."""
    return pick(generator, DIGITS)


def phrase(generator: np.random.Generator) -> str:
    """One to six English words by their frequency in films and in an encyclopedia, for more than a grammar's words."""
    words, cumulative = _dictionary()
    places = np.searchsorted(cumulative, generator.random(int(generator.integers(1, 7))))
    return " ".join(words[min(int(place), len(words) - 1)] for place in places)


@lru_cache(maxsize=1)
def _dictionary() -> tuple[list[str], np.ndarray]:
    """Words of two letters or more by falling frequency, and their cumulative probabilities."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    ranks: dict[str, int] = {}
    for name in ("us_tv_and_film", "english_wikipedia"):
        for rank, word in enumerate(FREQUENCY_LISTS[name]):
            if re.fullmatch(r"[a-z]{2,}", word):
                ranks[word.upper()] = min(rank, ranks.get(word.upper(), rank))
    words = sorted(ranks, key=lambda word: (ranks[word], word))
    weights = 1 / (np.arange(len(words)) + RANK_OFFSET)
    return words, np.cumsum(weights / weights.sum())


def vocabulary() -> list[str]:
    """All words that sentences are made of, sorted."""
    words = {*DIGITS, *TEENS, *TENS, *ORDINALS, *MONTHS, *DAYS, *NAMES, *THINGS, *VERBS, *SWITCHES, *SHORT, *LETTERS}
    return sorted(words | {"SPELL", "HUNDRED", "AND", "THE", "AT", "TURN", "CALL", "TIMES"})


def pick(generator: np.random.Generator, words: tuple[str, ...]) -> str:
    """One of some words, all as likely."""
    return words[generator.integers(len(words))]


def below_hundred(generator: np.random.Generator, teens: float = 0.3, ones: float = 0.7) -> str:
    """A number from TEN to NINETY NINE: a share of ``teens``, and of the others a share with ones: FORTY TWO."""
    if generator.random() < teens:
        return pick(generator, TEENS)
    tens = pick(generator, TENS)
    return f"{tens} {pick(generator, DIGITS[1:])}" if generator.random() < ones else tens


def _spelling(generator: np.random.Generator) -> str:
    """SPELL A N N A, or two or three letters and a digit."""
    if generator.random() < 0.5:
        return " ".join(("SPELL", *pick(generator, NAMES)))
    letters = [pick(generator, LETTERS) for _ in range(generator.integers(2, 4))]
    return " ".join([*letters, pick(generator, DIGITS)])


def _digits(generator: np.random.Generator) -> str:
    return " ".join(pick(generator, DIGITS) for _ in range(generator.integers(2, 5)))


def _number(generator: np.random.Generator) -> str:
    if generator.random() < 0.4:
        return f"{below_hundred(generator)} TIMES {pick(generator, DIGITS)}"
    return f"{pick(generator, DIGITS[1:])} HUNDRED AND {below_hundred(generator)}"


def _date(generator: np.random.Generator) -> str:
    draw = generator.random()
    if draw < 0.25:
        return f"{pick(generator, DAYS)} AT {pick(generator, TEENS)}"
    if draw < 0.5:
        return f"{pick(generator, MONTHS)} NINETEEN {below_hundred(generator)}"
    return f"{pick(generator, MONTHS)} THE {pick(generator, ORDINALS)}"


def _command(generator: np.random.Generator) -> str:
    draw = generator.random()
    if draw < 0.4:
        return f"TURN {pick(generator, SWITCHES)} THE {pick(generator, THINGS)}"
    if draw < 0.75:
        return f"{pick(generator, VERBS)} THE {pick(generator, THINGS)}"
    return f"CALL {pick(generator, NAMES)} AT {pick(generator, TEENS)}"


def _short(generator: np.random.Generator) -> str:
    return pick(generator, SHORT)
