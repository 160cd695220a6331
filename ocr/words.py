"""Texts for text images: words as they stand on signs, packages and pages; numbers as people write them; short lines.

The dictionary (words by frequency in an encyclopedia and in films, first names, surnames) comes with the package
``zxcvbn`` (MIT).
"""

import re
from functools import lru_cache

import numpy as np

from common.errors import GlyphoneError

LETTERS_AND_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
KINDS = ("words", "numbers", "lines")
# Words of signs, shops, tickets and labels, which running text has seldom.
_SIGNS = """
accessories admission airport alley arcade arrivals art atm auto avenue baby bakery bank barber bargain bazaar beach
beauty beer beware bicycle bistro boutique brand breakfast brewery burger bus butcher buy cab cafe cake camera camping
cars cash casino centre chapel cheese chemist chicken chocolate cinema clearance clinic closed clothing club cocktail
coffee college computer cosmetics court creek danger deli delivery dental departures diesel diner dinner discount
doctor donuts drive drugs drugstore electronics elevator emergency enter entrance espresso estate exchange exit express
eyewear farm fashion fine fire fish fitness flats florist flowers food free fresh fries fruit furniture gallery garage
garden gas gate gifts girls glass gold grand green grill grocery guest gym hair halal hall hardware health heritage home
hospital hostel hot hotel house ice india inn insurance internet italian jeans jewelers juice karaoke kebab keep kids
kitchen lane laundry leather library lift limited liquor live loans lodge london lottery lounge luggage lunch magazine
mall manor market massage meat medical menu metro milk mobile modern money motel motors museum music nails natural
national new news night noodles office open opera optician organic outlet palace parade park parking party pasta pawn
pharmacy phones photo pizza platform please plaza police pool port post premium press price print private pub public
pull push quality queen radio railway ramen rental repair reserved restaurant rice road rooms royal safe sale salon
sandwich school seafood security service shoes shop shopping shuttle silver sky slow smoking snacks soup souvenir spa
special speed sport square stadium station steak stop store street studio supermarket surgery sushi swimming tailor
takeaway tattoo tax taxi tea tech telephone theatre ticket tickets tobacco toilet tools tour tower toys trade traffic
train travel tunnel university used vacancy valley vegetables video village vintage visa vote waffle warning watch
water way wedding welcome wholesale wifi wine wireless women works world yard yoga zone zoo
"""
SIGN_WORDS = tuple(_SIGNS.split())
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
UNITS = ("km", "m", "cm", "kg", "g", "ml", "am", "pm", "mph", "h", "th", "a", "b", "mm", "gb", "hp", "w")
# Rank r is drawn in proportion to (r + RANK_OFFSET) ** -RANK_EXPONENT: flatter than running text, so that rarer words
# are seen too.
RANK_OFFSET, RANK_EXPONENT = 10.0, 1.0
MAX_TRIES = 50


def text(kind: str, characters: str, generator: np.random.Generator) -> str:
    """One text of a kind.

    Args:
        kind: one of KINDS.
        characters: the characters that the text may hold; others are left out of it.
        generator: the only source of chance.

    Raises:
        ValueError: unknown kind.
        GlyphoneError: no text can be made of the characters.
    """
    make = {"words": _cased_word, "numbers": _number, "lines": _line}
    if kind not in make:
        raise ValueError(f"kind of text {kind!r}; allowed are {', '.join(KINDS)}")
    allowed = set(characters)
    for _ in range(MAX_TRIES):
        made = make[kind](generator)
        kept = " ".join("".join(character for character in made if character in allowed).split())
        if kept:
            return kept
    raise GlyphoneError(
        f"no text of kind {kind} can be made of the characters {characters!r}: allow others, or set {kind} to 0"
    )


@lru_cache(maxsize=1)
def _dictionary() -> tuple[list[str], np.ndarray, list[str]]:
    """Words by falling frequency, their cumulative probabilities, and names."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # not at the top: transcribing does without

    ranks: dict[str, int] = {}
    for name in ("english_wikipedia", "us_tv_and_film"):
        for rank, word in enumerate(FREQUENCY_LISTS[name]):
            if re.fullmatch(r"[a-z]+('[a-z]+)?", word):
                ranks[word] = min(rank, ranks.get(word, rank))
    words = sorted(ranks, key=lambda word: (ranks[word], word))
    weights = (np.arange(len(words)) + RANK_OFFSET) ** -RANK_EXPONENT
    names = [
        name
        for key in ("surnames", "female_names", "male_names")
        for name in FREQUENCY_LISTS[key]
        if name.isascii() and name.isalpha()
    ]
    return words, np.cumsum(weights / weights.sum()), names


def _pick(values: list[str] | tuple[str, ...] | str, generator: np.random.Generator) -> str:
    return values[int(generator.integers(len(values)))]


def _frequent_word(generator: np.random.Generator) -> str:
    words, cumulative, _ = _dictionary()
    return words[min(int(np.searchsorted(cumulative, generator.random())), len(words) - 1)]


def _any_word(generator: np.random.Generator) -> str:
    return _pick(_dictionary()[0], generator)


def _name(generator: np.random.Generator) -> str:
    return _pick(_dictionary()[2], generator)


def _invented_word(generator: np.random.Generator) -> str:
    """A brand-like word: the head of one word grown onto the tail of another at a letter that both have."""
    first, second = _any_word(generator), _name(generator)
    cuts = [
        (head, tail)
        for head in range(1, len(first))
        for tail in range(1, len(second))
        if first[head] == second[tail] and 3 <= head + len(second) - tail <= 12
    ]
    if not cuts:
        return first
    head, tail = cuts[int(generator.integers(len(cuts)))]
    return first[:head] + second[tail:]


def _initials(generator: np.random.Generator) -> str:
    length = int(generator.choice([1, 2, 3, 4], p=[0.4, 0.25, 0.25, 0.1]))
    letters = "".join(_pick("abcdefghijklmnopqrstuvwxyz", generator) for _ in range(length))
    return ".".join(letters) + "." if generator.random() < 0.1 else letters


def _cased_word(generator: np.random.Generator) -> str:
    word = _word(generator)
    draw = generator.random()
    if draw < 0.42:
        return word.upper()
    if draw < 0.70:
        return word[0].upper() + word[1:]
    if draw < 0.72 and len(word) > 5:
        middle = int(generator.integers(2, len(word) - 2))
        return word[:middle].capitalize() + word[middle:].capitalize()
    return word


def _word(generator: np.random.Generator) -> str:
    draw = generator.random()
    if draw < 0.50:
        return _frequent_word(generator)
    if draw < 0.64:
        return _any_word(generator)
    if draw < 0.76:
        return _name(generator)
    if draw < 0.87:
        return _pick(SIGN_WORDS, generator)
    if draw < 0.94:
        return _invented_word(generator)
    return _initials(generator)


def _number(generator: np.random.Generator) -> str:
    draw = generator.random()
    digits = "".join(_pick("0123456789", generator) for _ in range(12))
    if draw < 0.45:
        length = int(generator.choice(11, p=np.array([0, 20, 24, 18, 16, 6, 6, 4, 3, 1, 2]) / 100))
        return digits[:length].lstrip("0") or digits[-1]
    if draw < 0.55:
        return str(int(generator.integers(1900, 2031)))
    if draw < 0.67:
        return f"{_pick(('$', '€', '£', '$'), generator)}{int(digits[:2])}.{_pick(('99', '50', '00', '95'), generator)}"
    if draw < 0.72:
        return f"{int(generator.integers(24))}:{int(generator.integers(60)):02d}"
    if draw < 0.77:
        separator = _pick("./-", generator)
        day, month = int(generator.integers(1, 32)), int(generator.integers(1, 13))
        return f"{day:02d}{separator}{month:02d}{separator}{digits[:2]}"
    if draw < 0.82:
        return f"{digits[:3]}-{digits[3:7]}"
    if draw < 0.86:
        return f"{int(generator.integers(1, 100))}%"
    if draw < 0.94:
        unit = _pick(UNITS, generator)
        return str(int(generator.integers(1, 500))) + (unit.upper() if generator.random() < 0.5 else unit)
    letters = "".join(_pick("ABCDEFGHJKLMNPRSTUVWXYZ", generator) for _ in range(int(generator.integers(1, 4))))
    return letters + digits[: int(generator.integers(1, 5))]


def _line(generator: np.random.Generator) -> str:
    draw = generator.random()
    if draw < 0.1:
        return (
            f"{_pick(WEEKDAYS, generator).title()} {int(generator.integers(1, 32))} {_pick(MONTHS, generator).title()}"
        )
    if draw < 0.2:
        return f"{_name(generator).title()} & {_name(generator).title()}"
    if draw < 0.3:
        return f"{_pick(SIGN_WORDS, generator).title()} {_number(generator)}"
    words = [_frequent_word(generator) for _ in range(int(generator.integers(2, 5)))]
    if draw < 0.5:
        return " ".join(words).upper()
    if draw < 0.65:
        return " ".join(word[0].upper() + word[1:] for word in words)
    line = " ".join(words)
    if generator.random() < 0.3:
        line = line.replace(" ", ", ", 1)
    if generator.random() < 0.6:
        line = line[0].upper() + line[1:]
    return line + _pick(("", "", ".", ".", "!", "?"), generator)
