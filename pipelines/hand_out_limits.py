"""What a handed-out model's card says of its limits: read off its settings and its figures, nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from common.decoding import DecodingSettings
from common.markdown import code, plain
from common.report.scores import conditions_shown
from pipelines.card_wording import OTHER_DATA, characters_of

MAX_CONFUSIONS = 8
# Groups smaller than this, in words, say little of themselves.
FEWEST_WORDS = 20
SUBSETS = {"seen": "transcript also in training", "unseen": "transcript not in training"}


def subsets_of(metrics: Mapping[str, Any], unit: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(name, part of the metrics) of every subset of the test split that has samples."""
    for name, part in metrics.get("by_transcript", {}).items():
        if part["samples"]:
            yield SUBSETS.get(name, name), part
    for name, part in conditions_shown(metrics.get("by_condition", {}), "words")[0]:
        yield f"condition {plain(name)}", part
    for part in metrics.get("by_length", ()):
        yield f"{part['from']:g} to {part['to']:g} {unit}", part


def written_of(alphabet: Sequence[str], decoding: DecodingSettings) -> list[str]:
    """The characters of the alphabet that the decoder may write."""
    return [each for each in alphabet if decoding.whitelist is None or each in decoding.whitelist]


def limits(
    description: Mapping[str, Any],
    metrics: Mapping[str, Any],
    confusions: Sequence[tuple[str, str, int]],
    decoding: DecodingSettings,
) -> list[str]:
    """Sentences, the ones that bind hardest first."""
    return [
        *_what_it_writes(description, decoding),
        *_what_it_reads(description),
        *_new_texts(metrics),
        *_groups(metrics),
        *_confusions(confusions),
        f"The figures are of this test split. {OTHER_DATA}",
    ]


def _what_it_writes(description: Mapping[str, Any], decoding: DecodingSettings) -> Iterator[str]:
    cases = {"lower": "all texts are lower case", "upper": "all texts are upper case"}
    case = cases.get(description["text_settings"].get("case", ""))
    yield "It can write no character but those above" + (f"; {case}." if case else ".")
    written = written_of(description["alphabet"], decoding)
    if left_out := [each for each in description["alphabet"] if each not in written]:
        yield (
            f"Its decoder's whitelist leaves out {characters_of(left_out)}, which it has learnt; `--whitelist` names "
            "others."
        )
    if decoding.engine == "beam_lm" and decoding.lexicon == "closed":
        yield "The decoder writes only the words of `language/words.txt`; `--engine greedy` takes any word."


def _what_it_reads(description: Mapping[str, Any]) -> Iterator[str]:
    settings = description["slice_settings"]
    if description["unit"] == "s" and {"rate_hz", "max_seconds"} <= settings.keys():
        yield (
            f"Sound is brought to {settings['rate_hz']:,} Hz and one channel. A file holds one utterance; one of more "
            f"than {settings['max_seconds']:g} s is cut where it is quietest, at times within a word."
        )
    if description["unit"] == "px" and "height_px" in settings:
        polarity = settings.get("polarity", "")
        inks = {"dark_on_light": ", dark on light", "light_on_dark": ", light on dark"}.get(polarity, "")
        yield (
            f"A picture holds one word or one line{inks}, and is scaled to {settings['height_px']} pixels of height: "
            "nothing finds the lines of a page."
        )


def _new_texts(metrics: Mapping[str, Any]) -> Iterator[str]:
    subsets = metrics.get("by_transcript", {})
    seen, unseen = (
        subsets[name]["words"]["rate"] if subsets.get(name, {}).get("samples") else None for name in ("seen", "unseen")
    )
    if seen is not None and unseen is not None and unseen > seen:
        yield (
            f"Of words in transcripts that also stand in training it errs {seen:.3f}, of those in new ones "
            f"{unseen:.3f}: expect the latter."
        )
    if subsets and not subsets.get("unseen", {}).get("samples"):
        yield "All test transcripts also stand in training: the figures say nothing of new texts."


def _groups(metrics: Mapping[str, Any]) -> Iterator[str]:
    if metrics["groups"] == 1:
        yield "All test samples are of one group (a speaker, a book, a font): the intervals say nothing of others."
    # Of more than a hundred groups the list holds those with the most errors alone.
    groups = [each for each in metrics.get("by_group", ()) if each["words"]["reference"] >= FEWEST_WORDS]
    if len(groups) > 1 and len(metrics["by_group"]) == metrics["groups"]:
        rates = sorted(each["words"]["rate"] for each in groups)
        if rates[-1] > rates[0]:
            yield (
                f"Groups of the test split (a speaker, a book, a font) differ: word error rates from {rates[0]:.3f} to "
                f"{rates[-1]:.3f} among the {len(groups)} with at least {FEWEST_WORDS} words."
            )


def _confusions(confusions: Sequence[tuple[str, str, int]]) -> Iterator[str]:
    most = confusions[:MAX_CONFUSIONS]
    if most:
        yield "Its most frequent errors of characters: " + ", ".join(
            f"{_shown(right)} → {_shown(wrong)} ({count})" for right, wrong, count in most
        )


def _shown(character: str) -> str:
    if not character:
        return "∅"
    return "a space" if character == " " else code(character)
