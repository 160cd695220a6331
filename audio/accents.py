"""Foreign accents of the offline voice: phonemes of English replaced by those that learners have in their place."""

from collections.abc import Iterable

import numpy as np

# In the voice's alphabet, which is misaki's: A, I and O are the diphthongs of EIGHT, NINE and ZERO. Each pair is of a
# kind that teachers of English know: no TH, W for V and V for W, another R, tense for lax vowels, no diphthongs, full
# vowels for weak ones, and consonants that lose or gain voice.
REPLACED = (
    ("θ", "s"), ("θ", "t"), ("θ", "f"), ("θ", "z"), ("ð", "d"), ("ð", "z"), ("w", "v"), ("v", "w"), ("v", "f"),
    ("ɹ", "r"), ("ɹ", "ʁ"), ("ɹ", "ɾ"), ("ɹ", "ɻ"), ("ɪ", "i"), ("i", "ɪ"), ("ʊ", "u"), ("u", "ʊ"), ("ʌ", "a"),
    ("ʌ", "ɑ"), ("ʌ", "ɔ"), ("O", "ɔ"), ("O", "o"), ("I", "aj"), ("I", "ɑj"), ("A", "e"), ("A", "ɛ"), ("A", "ej"),
    ("ɔ", "o"), ("ɛ", "e"), ("ɛ", "æ"), ("æ", "ɛ"), ("ə", "ɛ"), ("ə", "e"), ("z", "s"), ("z", "ʦ"), ("s", "z"),
    ("t", "d"), ("t", "ʔ"),
)  # fmt: skip
# Probability of each pair in an accent, and that R behind a vowel is not spoken.
LIKELY, SILENT_R = 0.3, 0.25


def accented(sentences: Iterable[str], generator: np.random.Generator) -> list[str]:
    """Phonemes of sentences in one accent, which is drawn: some of the pairs, one after the other in any order."""
    order = generator.permutation(len(REPLACED))
    chosen = [REPLACED[place] for place in order if generator.random() < LIKELY]
    if generator.random() < SILENT_R:
        chosen += [(f"{vowel}{r}", f"{vowel}ː") for vowel in "ɔo" for r in "ɹrʁɾɻ"]
    changed = list(sentences)
    for old, new in chosen:
        changed = [each.replace(old, new) for each in changed]
    return changed
