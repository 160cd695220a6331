"""Hypotheses → the samples that the page shows: the worst, some at random, and the table of all."""

import base64
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from common.edits import Counts, align, confusions, words
from common.modality import generator
from common.report.content import Confusion, Missed, Shown
from common.report.differences import difference
from common.wording import count

NUM_RANDOM = 8  # samples drawn at random beside the worst ones
MAX_TABLE_ROWS = 2000  # about 1 kB each
MAX_TABLE_CHARACTERS = 1_500_000  # of their references and hypotheses
MAX_CONFUSIONS, MAX_MISSED = 20, 20
MAX_PREVIEW_BYTES = 2 * 2**20  # of one sound or picture
MAX_ALL_PREVIEW_BYTES = 12 * 2**20  # of all of them; base64 makes a third more
_MEDIA_TYPE = re.compile(r"(audio|image)/[a-z0-9][a-z0-9.+-]*")


def scored(rows: Sequence[Mapping[str, Any]], reasons: Mapping[str, str]) -> list[Shown]:
    """All test samples with their counts, the worst first: by errors a reference character, then by errors, then id.

    Args:
        rows: hypotheses.
        reasons: id → why a sample could not be read; such a sample counts as all deletions.
    """
    shown = []
    for row in rows:
        of_words, of_characters = Counts(**row["word_counts"]), Counts(**row["character_counts"])
        shown.append(
            Shown(
                id=row["id"],
                group=row["group"],
                reference=row["reference"],
                hypothesis=row["hypothesis"],
                pieces=difference(row["reference"], row["hypothesis"]),
                num_words=of_words.reference,
                word_errors=of_words.errors,
                num_characters=of_characters.reference,
                character_errors=of_characters.errors,
                substitutions=of_characters.substitutions,
                deletions=of_characters.deletions,
                insertions=of_characters.insertions,
                confidence=row["confidence"],
                note=f"could not be read: {reasons[row['id']]}" if row["id"] in reasons else "",
            )
        )
    return sorted(shown, key=lambda each: (-each.character_rate, -each.character_errors, each.id))


def pick(shown: Sequence[Shown], num_worst: int, seed: int) -> tuple[list[Shown], list[Shown]]:
    """The worst samples that have an error, and some of all drawn at random in order of their ids."""
    worst = [each for each in shown if each.character_errors][:num_worst]
    by_id = sorted(shown, key=lambda each: each.id)
    drawn = generator(seed, "report samples", "").permutation(len(by_id))[:NUM_RANDOM]
    return worst, [by_id[row] for row in sorted(drawn.tolist())]


def table_rows(shown: Sequence[Shown]) -> list[Shown]:
    """The first samples, as many as a page can hold."""
    rows: list[Shown] = []
    left = MAX_TABLE_CHARACTERS
    for each in shown[:MAX_TABLE_ROWS]:
        left -= len(each.reference) + len(each.hypothesis)
        if left < 0:
            break
        rows.append(each)
    return rows


def with_previews(lists: Sequence[Sequence[Shown]], preview: Callable[[str], tuple[str, bytes]]) -> list[list[Shown]]:
    """Attach sounds and pictures as data URIs, as long as the page stays moderate; what is left out says so."""
    left = MAX_ALL_PREVIEW_BYTES
    result: list[list[Shown]] = []
    for shown in lists:
        result.append([])
        for each in shown:
            media_type, data = preview(each.id)
            reason = _refusal(media_type, len(data), left)
            if reason:
                result[-1].append(replace(each, no_media=reason))
                continue
            left -= len(data)
            uri = f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"
            result[-1].append(replace(each, media_type=media_type, media=uri))
    return result


def _refusal(media_type: str, num_bytes: int, left: int) -> str:
    if not num_bytes:
        return "There is nothing to hear or see: no preview was stored."
    if not _MEDIA_TYPE.fullmatch(media_type):
        return f"The stored preview is neither sound nor image: {media_type!r}."
    if num_bytes > MAX_PREVIEW_BYTES:
        return f"The preview is left out, it has {count(num_bytes)} bytes."
    if num_bytes > left:
        return "The preview is left out to keep this page small."
    return ""


def character_confusions(shown: Sequence[Shown]) -> list[Confusion]:
    """The most frequent character errors of all samples."""
    counted = confusions((each.reference, each.hypothesis) for each in shown)
    return [Confusion(left, right, times) for (left, right), times in list(counted.items())[:MAX_CONFUSIONS]]


def missed_words(shown: Sequence[Shown]) -> list[Missed]:
    """The reference words that were most often substituted or deleted, with the most frequent other words."""
    total: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    instead: dict[str, Counter[str]] = {}
    for each in shown:
        for kind, left, right in align(words(each.reference), words(each.hypothesis)):
            if kind == "insertion":
                continue
            total[left] += 1
            if kind != "equal":
                missed[left] += 1
                instead.setdefault(left, Counter())[right] += 1
    ranked = sorted(missed, key=lambda word: (-missed[word], -missed[word] / total[word], word))
    return [
        Missed(
            word, total[word], missed[word], sorted(instead[word], key=lambda other: (-instead[word][other], other))[:3]
        )
        for word in ranked[:MAX_MISSED]
    ]
