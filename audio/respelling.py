"""English as readers of another language would spell what they hear: what a voice of that language reads aloud."""

from collections.abc import Mapping

import numpy as np

# In the offline voice's alphabet, which is misaki's: A, I, O, W and Y are the diphthongs of EIGHT, NINE, ZERO, HOUSE
# and BOY, T is the T of WATER, ᵊ and ᵻ are weak vowels. A phoneme with several spellings takes one of them by chance,
# as one speaker says S and another T for TH. Marks of stress are left out.
CONSONANTS = {each: (each,) for each in "bdfklmnprstvz"}
COMMON: Mapping[str, tuple[str, ...]] = {
    **CONSONANTS, "h": ("h",), "ɡ": ("g",), "ŋ": ("ng",), "ɹ": ("r",), "T": ("t",), "ɾ": ("r",), "j": ("i",),
    "w": ("u",), "ʃ": ("sh",), "ʒ": ("j",), "ʧ": ("ch",), "ʤ": ("j",), "θ": ("t", "s", "f"), "ð": ("d", "z"),
    "i": ("i",), "ɪ": ("i",), "ᵻ": ("i",), "u": ("u",), "ʊ": ("u",), "ɛ": ("e",), "e": ("e",), "æ": ("a", "e"),
    "a": ("a",), "ɑ": ("a",), "ʌ": ("a",), "ɜ": ("e",), "ə": ("e", "a"), "ᵊ": ("e",), "ɔ": ("o",), "o": ("o",),
    "A": ("ei",), "I": ("ai",), "O": ("ou", "o"), "W": ("au",), "Y": ("oi",),
}  # fmt: skip
# By ISO 639-1, what is otherwise than in COMMON.
SPELLINGS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "cs": {
        "ʃ": ("š",), "ʒ": ("ž",), "ʧ": ("č",), "ʤ": ("dž",), "j": ("j",), "w": ("u", "v"), "θ": ("s", "t", "f"),
        "i": ("í",), "u": ("ú", "u"), "ɔ": ("ó",), "A": ("ej",), "I": ("aj",), "Y": ("oj",), "v": ("v", "f"),
    },
    "de": {
        "s": ("ß",), "z": ("s",), "v": ("w", "f"), "w": ("u", "w"), "ʃ": ("sch",), "ʒ": ("sch",), "ʧ": ("tsch",),
        "ʤ": ("dsch",), "j": ("j",), "θ": ("ß", "t"), "ð": ("d", "s"), "i": ("ie",), "u": ("uh", "u"), "ɔ": ("oh", "o"),
        "ɛ": ("ä",), "æ": ("ä",), "ɜ": ("ö",), "A": ("äi", "eh"), "I": ("ei",), "O": ("ou", "oh"), "Y": ("eu",),
    },
    "es": {"θ": ("z", "t"), "z": ("z", "s"), "v": ("v", "f"), "w": ("u", "gu"), "ʃ": ("ch",), "h": ("j",), "ʤ": ("y",)},
    "fi": {
        "z": ("s", "ts"), "w": ("u", "v"), "ʃ": ("s",), "ʒ": ("s",), "ʧ": ("ts",), "ʤ": ("ts",), "j": ("j",),
        "i": ("ii",), "u": ("uu",), "ɔ": ("oo",), "æ": ("ä",), "v": ("v", "f"), "θ": ("s", "t"),
    },
    "fr": {
        "ɡ": ("gu",), "j": ("y",), "w": ("ou",), "ʃ": ("ch",), "ʒ": ("j",), "ʧ": ("tch",), "ʤ": ("dj",), "h": ("",),
        "θ": ("s", "f", "t"), "ð": ("d", "z"), "u": ("ou",), "ʊ": ("ou",), "ɛ": ("è",), "e": ("é",), "ɜ": ("eu",),
        "ə": ("è", "eu"), "ᵊ": ("eu",), "ɔ": ("ô", "o"), "A": ("éï", "é"), "I": ("aï",), "O": ("ô",), "W": ("aou",),
        "Y": ("oï",), "v": ("v", "f"),
    },
    "it": {
        "ʃ": ("sci",), "ʧ": ("ci",), "ʒ": ("gi",), "ʤ": ("gi",), "h": ("",), "v": ("v", "f"), "ɡ": ("gh",),
        "ɔ": ("o", "ò"), "ɛ": ("e", "è"),
    },
}  # fmt: skip
# Where a last consonant would not be spoken.
MUTE_WITHOUT = {"fr": "e"}
VOWELS = frozenset("aeiouyáéíóúàèìòùäöüâêîôûëï")


def respelled(phonemes: str, language: str, generator: np.random.Generator) -> str:
    """English phonemes of words in a language's spelling, words apart by single spaces.

    Each phoneme is spelled alike in all words, as one speaker's accent is. What is no phoneme is left out.

    Raises:
        KeyError: SPELLINGS has no such language.
    """
    table = {**COMMON, **SPELLINGS[language]}
    chosen = {phoneme: ways[int(generator.integers(len(ways)))] for phoneme, ways in table.items()}
    words = ["".join(chosen.get(each, "") for each in word) for word in phonemes.split()]
    mute = MUTE_WITHOUT.get(language, "")
    return " ".join(word + mute * (word[-1] not in VOWELS) for word in words if word)
