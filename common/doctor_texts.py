"""Findings about transcripts: their bytes before normalisation, and their characters after it."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import permutations

from common.findings import Finding, Severity, finding
from common.samples import Sample
from common.wording import out_of, plural, said_of

_MAX_CHARACTERS = 20  # that a sentence names
_LONG_FACTOR = 5.0  # times the 95th percentile of lengths
_CASE_SHARE = 0.95

_ODD_SPACE = re.compile(r"[^\S \r\n]|  |^ | $")
# Letters that look alike, of Latin, Cyrillic and Greek.
_ALIKE = (
    "AАΑ BВΒ CСϹ EЕΕ HНΗ IІΙ JЈ KКΚ MМΜ NΝ OОΟ PРΡ SЅ TТΤ XХΧ YУΥ ZΖ "
    "aаα cсϲ dԁ eе hһ iіι jј kк lӏ mм oоο pрρ qԛ sѕ tт uυ vν wԝ xхχ yу"
)
_ALIKE_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK")
_WORD = re.compile(r"[^\W\d_]+")


def _is_quoted_cell(text: str) -> bool:
    """Between quotation marks and with some inside, all doubled, as programs quote a cell of a table."""
    inner = text[1:-1]
    return len(text) > 1 and text[0] == text[-1] == '"' and '"' in inner and '"' not in inner.replace('""', "")


def _is_mojibake(text: str) -> bool:
    """UTF-8 that was read as Latin-1 or Windows-1252 turns back into UTF-8 without an error; real text hardly ever."""
    if text.isascii():
        return False
    for encoding in ("latin-1", "cp1252"):
        try:
            return text.encode(encoding).decode("utf-8") != text
        except UnicodeError:
            continue
    return False


def _is_invisible(character: str) -> bool:
    """Zero-width, bidirectional and other format or control characters, except line ends, tabs and the BOM."""
    return unicodedata.category(character) in ("Cc", "Cf") and character not in "\t\n\r\v\f\x1c\x1d\x1e\x1f\x85\ufeff"


@cache
def _script(letter: str) -> str:
    return unicodedata.name(letter, "").split(" ", 1)[0]


@cache
def _look_alikes(script: str) -> dict[str, set[str]]:
    """Letters of a script → other scripts that have one which looks like it."""
    found = {}
    for family in _ALIKE.split():
        scripts = {_script(letter): letter for letter in family}
        if script in scripts:
            found[scripts[script]] = scripts.keys() - {script}
    return found


def _mixes_scripts(text: str) -> bool:
    """A word holds letters of two scripts, and all those of one look like letters of the other; kΩ and μm do not."""
    if text.isascii():
        return False
    for word in _WORD.findall(text):
        letters = {script: {_base(each) for each in word if _script(each) == script} for script in _ALIKE_SCRIPTS}
        for mine, other in permutations((script for script in _ALIKE_SCRIPTS if letters[script]), 2):
            if all(other in _look_alikes(mine).get(letter, ()) for letter in letters[mine]):
                return True
    return False


def _base(letter: str) -> str:
    """Without its marks: ё looks like ë as е does like e."""
    return unicodedata.normalize("NFD", letter)[0]


# (code, severity, what the transcripts have, test of the raw transcript, advice)
_RAW_CHECKS: tuple[tuple[str, Severity, str, Callable[[str], bool], str], ...] = (
    (
        "byte_order_mark",
        "note",
        "hold a byte order mark (U+FEFF)",
        lambda text: "\ufeff" in text,
        "Normalisation removes it; save the file as UTF-8 without BOM.",
    ),
    (
        "carriage_return",
        "note",
        "have Windows line ends (CR)",
        lambda text: "\r" in text,
        "Normalisation removes them; save the file with LF line ends.",
    ),
    (
        "odd_white_space",
        "note",
        "have tabs, no-break or other special blanks, double blanks, or blanks at their ends",
        lambda text: _ODD_SPACE.search(text) is not None,
        "Normalisation makes single blanks of them; check that no columns were mixed up.",
    ),
    (
        "not_nfc",
        "note",
        "are not in Unicode's composed form (NFC)",
        lambda text: not unicodedata.is_normalized("NFC", text),
        "Normalisation composes them; convert the files so that other programs count the same characters.",
    ),
    (
        "quoted_cell",
        "warning",
        "stand in quotation marks, with those inside doubled, as tables quote a cell",
        _is_quoted_cell,
        "Save the table as CSV, or without quoting: where tabs part the columns, a quotation mark means itself.",
    ),
    (
        "mojibake",
        "warning",
        "look like UTF-8 that was read in another encoding",
        _is_mojibake,
        "Convert the file again from its true encoding to UTF-8.",
    ),
    (
        "replacement_character",
        "warning",
        "hold U+FFFD: a character was lost in a conversion",
        lambda text: "\ufffd" in text,
        "Convert the file again from its true encoding to UTF-8.",
    ),
    (
        "invisible_character",
        "warning",
        "hold invisible characters",
        lambda text: any(map(_is_invisible, text)),
        "The model would have to learn them: map them to nothing with text.replace, unless your script needs them.",
    ),
    (
        "mixed_script",
        "warning",
        "hold words of two scripts, where all letters of one look like letters of the other (Latin, Greek, Cyrillic)",
        _mixes_scripts,
        "Replace the foreign letters, in the files or with text.replace.",
    ),
)


def examine_raw_texts(samples: Sequence[Sample], raw_texts: Mapping[str, str]) -> list[Finding]:
    """What is odd in transcripts before normalisation; samples that are not in ``raw_texts`` are passed over."""
    raw = [(sample.id, raw_texts[sample.id]) for sample in samples if sample.id in raw_texts]
    found = []
    for code, severity, what, is_odd, advice in _RAW_CHECKS:
        odd = [(id, text) for id, text in raw if is_odd(text)]
        if odd:
            names = ""
            if code == "invisible_character":
                names = ": " + _listed({character for _, text in odd for character in text if _is_invisible(character)})
            sentence = out_of(len(odd), len(raw), "transcript", what) + names
            found.append(finding(code, severity, sentence, (id for id, _ in odd), advice))
    return found


def examine_characters(samples: Sequence[Sample]) -> list[Finding]:
    """What is odd in normalised texts: empty, too long, rare or unseen characters, mixed case."""
    return [*_empty(samples), *_long(samples), *_rare(samples), *_unseen(samples), *_mixed_case(samples)]


def examine_direction(samples: Sequence[Sample], direction: str) -> Iterator[Finding]:
    """Most transcripts of line images read the other way than ``text.direction``, ltr or rtl, says."""
    sides = {sample.id: _side(sample.text) for sample in samples}
    other = "ltr" if direction == "rtl" else "rtl"
    ids = [id for id, side in sides.items() if side == other]
    num_lettered = sum(side != "" for side in sides.values())
    if 2 * len(ids) > num_lettered:
        which = {"ltr": "left to right", "rtl": "right to left"}
        yield finding(
            "text_direction",
            "error",
            f"{out_of(len(ids), num_lettered, 'transcript')} with letters {said_of(len(ids), 'read')} from "
            f"{which[other]}, but text.direction is {direction}, {which[direction]}",
            ids,
            f"Set text.direction: {other}: the network meets letters from left to right and learns nothing from texts "
            "in the other order.",
        )


def _side(text: str) -> str:
    """ltr or rtl, as most letters of a text read; empty without letters."""
    counts = Counter(unicodedata.bidirectional(each) for each in text)
    right_to_left = counts["R"] + counts["AL"]
    if not right_to_left + counts["L"]:
        return ""
    return "rtl" if right_to_left > counts["L"] else "ltr"


def _empty(samples: Sequence[Sample]) -> Iterator[Finding]:
    ids = [sample.id for sample in samples if not sample.text]
    if ids:
        yield finding(
            "empty_text",
            "warning",
            f"{out_of(len(ids), len(samples), 'transcript', 'are')} empty after normalisation",
            ids,
            "They are rejected: write what is heard or seen, or remove the samples.",
        )


def _long(samples: Sequence[Sample]) -> Iterator[Finding]:
    lengths = sorted(len(sample.text) for sample in samples)
    if len(lengths) < 20:
        return
    limit = _LONG_FACTOR * max(1, lengths[int(0.95 * (len(lengths) - 1))])
    ids = [sample.id for sample in samples if len(sample.text) > limit]
    if ids:
        yield finding(
            "long_text",
            "warning",
            f"{plural(len(ids), 'transcript has', 'transcripts have')} more than {limit:.0f} characters, five times "
            "what 95 % of them stay below; "
            f"the longest has {lengths[-1]}",
            ids,
            "Check that rows were not joined by a missing line end or quote.",
        )


def _rare(samples: Sequence[Sample]) -> Iterator[Finding]:
    training = [sample for sample in samples if sample.split == "train"]
    counts = Counter(character for sample in training for character in sample.text)
    once = {character for character, times in counts.items() if times == 1}
    if once:
        yield finding(
            "rare_character",
            "warning",
            f"{out_of(len(once), len(counts), 'character', 'occur')} only once in training: {_listed(once)}",
            (sample.id for sample in training if not once.isdisjoint(sample.text)),
            "One example teaches nothing: add samples, or map the characters with text.replace.",
        )


def _unseen(samples: Sequence[Sample]) -> Iterator[Finding]:
    known = {character for sample in samples if sample.split == "train" for character in sample.text}
    if not known:
        return
    for split in ("validation", "test"):
        members = [sample for sample in samples if sample.split == split]
        unseen = {character for sample in members for character in sample.text} - known
        if unseen:
            times = sum(character in unseen for sample in members for character in sample.text)
            yield finding(
                f"unseen_character_{split}",
                "warning",
                f"{plural(len(unseen), 'character')} ({plural(times, 'time')}) {said_of(len(unseen), 'stand')} in "
                f"{split} transcripts but not in training: "
                f"{_listed(unseen)}",
                (sample.id for sample in members if not unseen.isdisjoint(sample.text)),
                "The model cannot write them, each counts as an error: add training samples, or map the characters "
                "with text.replace.",
            )


def _mixed_case(samples: Sequence[Sample]) -> Iterator[Finding]:
    upper = [sample for sample in samples if sample.text.isupper()]
    lower = [sample for sample in samples if sample.text.islower()]
    cased = [sample for sample in samples if sample.text.lower() != sample.text.upper()]
    for name, members in (("upper", upper), ("lower", lower)):
        if _CASE_SHARE * len(cased) <= len(members) < len(cased):
            kept = {sample.id for sample in members}
            others = [sample.id for sample in cased if sample.id not in kept]
            yield finding(
                "mixed_case",
                "note",
                f"{out_of(len(members), len(cased), 'transcript', 'are')} all {name} case, "
                f"{plural(len(others), 'is', 'are')} not",
                others,
                f"If case carries no meaning here, set text.case to {name}.",
            )


def _listed(characters: Iterable[str]) -> str:
    """Characters with their code points, e.g. ``'é' U+00E9``; unprintable ones by code point alone."""
    every = sorted(set(characters))
    shown = [
        (f"'{each}' " if each.isprintable() and not unicodedata.combining(each) else "") + f"U+{ord(each):04X}"
        for each in every[:_MAX_CHARACTERS]
    ]
    more = f" and {len(every) - _MAX_CHARACTERS} more" if len(every) > _MAX_CHARACTERS else ""
    return ", ".join(shown) + more
