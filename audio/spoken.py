"""What the offline voice can say. It reads as English is read, letters of other languages as in foreign words."""

import unicodedata

# Of those that the voice's spelling is learnt from, the Latin ones. It takes Greek, Cyrillic and Armenian letters too,
# but says their names and leaves some out; all others it leaves out of words without a sign.
LETTERS = frozenset(
    "abcdefghijklmnopqrstuvwxyzàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿßāăąćčďđēĕėęěĝğġģīĭķļľłńņňŋōŏőœřśşšţťūŭůųŵźżžƒơưǎǐǒǔǚșț"
    "ɑɒɓəɛʃṛ"
)
# Numbers and signs that it has words for, here or beside a number.
SIGNS = frozenset("0123456789²³¼½¾$£€¥₹₩¢+<=>^~°±×÷©|`´")
# Digits of a word; it has no names for longer numbers.
MAX_DIGITS = 36


def unspoken(text: str) -> str:
    """The characters that the voice would leave out, each once. Punctuation is none of them: nobody says it."""
    return "".join(dict.fromkeys(each for each in text if not _is_spoken(each)))


def spoken(text: str) -> str:
    """The text without words that hold such characters, since what is left of one would be no word, or a long number.

    Of a text without a letter or digit, which could not be heard, nothing is left.
    """
    words = text.split()
    said = [word for word in words if not unspoken(word) and sum(map(str.isdigit, word)) <= MAX_DIGITS]
    kept = text if said == words else " ".join(said)
    return kept if any(map(str.isalnum, kept)) else ""


def _is_spoken(character: str) -> bool:
    if character.isspace() or character in SIGNS or unicodedata.category(character).startswith("P"):
        return True
    return all(each in LETTERS for each in character.upper().lower())  # so the voice takes it
