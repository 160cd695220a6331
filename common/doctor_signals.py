"""Findings about signals: what a modality's ``inspect`` saw, and lengths that do not fit their transcripts."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from common.findings import Finding, Severity, finding
from common.samples import Sample
from common.wording import out_of, plural

# code → (severity, what it is, what to do)
SIGNAL_CODES: dict[str, tuple[Severity, str, str]] = {
    # sound
    "silence": ("warning", "hold nothing but silence", "Listen to them; remove them or record them again."),
    "clipping": ("warning", "are clipped", "Record with less gain; a clipped recording cannot be repaired."),
    "dc_offset": ("note", "have a constant offset", "Check the recording device; the front end removes most of it."),
    "quiet": ("note", "are very quiet", "Check the gain; noise may be as loud as speech."),
    # both
    "short": ("warning", "are very short", "Check their start and end; they may have been cut off."),
    # images
    "tiny": ("warning", "are very small", "Scan or crop at a higher resolution; letters of few pixels cannot be read."),
    "rotated": (
        "warning",
        "look rotated",
        "Turn them upright, correct their EXIF orientation, or let slices.rotate_tall turn them; where that is set, "
        "nothing is to be done.",
    ),
    "low_contrast": ("note", "have little contrast", "Check the exposure; faint letters drown in the paper."),
    "blank": ("warning", "show one colour only", "Look at them; remove them or crop them again."),
}
_UNKNOWN: tuple[Severity, str, str] = ("note", "", "Look at some of them.")

MIN_SAMPLES = 20  # fewer say nothing about what is usual
_MIN_RATIO = 2.5  # from the median, whatever the spread
_MAX_DEVIATIONS = 5.0


def collect(findings_by_sample: Mapping[str, Iterable[tuple[str, str]]]) -> list[Finding]:
    """Gather what ``modality.inspect`` said of each sample into one finding a code.

    Args:
        findings_by_sample: sample id → pairs (code, sentence). Codes that this module does not know show as notes
            under their own name.
    """
    sentences: dict[str, dict[str, str]] = defaultdict(dict)
    for sample_id, pairs in findings_by_sample.items():
        for code, sentence in pairs:
            sentences[code].setdefault(sample_id, sentence)
    found = []
    for code, by_id in sorted(sentences.items()):
        severity, what, advice = SIGNAL_CODES.get(code, _UNKNOWN)
        first = min(by_id)
        text = out_of(len(by_id), len(findings_by_sample), "sample", what or f"are marked {code!r}")
        found.append(finding(code, severity, f"{text}; {first}: {by_id[first]}", by_id, advice))
    return found


def examine_lengths(samples: Sequence[Sample], lengths: Mapping[str, float], unit: str) -> list[Finding]:
    """Samples whose length a character is far from what is usual in their corpus: too fast or too slow to be true.

    The length of a picture is its width by its height, whatever its resolution. Usual is the median of
    log(length / characters); far is more than five robust deviations (1.4826 × median absolute deviation) and more than
    a factor of 2.5. Corpora with fewer than ``MIN_SAMPLES`` samples are passed over.

    Args:
        lengths: sample id → seconds, or width / height; samples without one are passed over.
        unit: s or px.
    """
    measure = {"px": "times its height"}.get(unit, unit)
    corpora: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for sample in samples:
        if sample.text and lengths.get(sample.id, 0) > 0:
            corpora[sample.corpus].append((sample.id, math.log(lengths[sample.id] / len(sample.text))))
    found = []
    for corpus, pairs in sorted(corpora.items()):
        if len(pairs) < MIN_SAMPLES:
            continue
        middle = median(ratio for _, ratio in pairs)
        deviation = 1.4826 * median(abs(ratio - middle) for _, ratio in pairs)
        limit = max(math.log(_MIN_RATIO), _MAX_DEVIATIONS * deviation)
        usual = f"usual is {math.exp(middle):.3g} {measure} a character" + (f" in corpus {corpus}" if corpus else "")
        fast = [(ratio, id) for id, ratio in pairs if ratio < middle - limit]
        slow = [(-ratio, id) for id, ratio in pairs if ratio > middle + limit]
        if fast:
            ratio, worst = min(fast)
            found.append(
                finding(
                    "too_fast",
                    "warning",
                    f"{plural(len(fast), 'transcript is', 'transcripts are')} too long for their length: {usual}, "
                    f"{worst} has {math.exp(ratio):.3g}",
                    (id for _, id in fast),
                    "Compare transcript and signal: it is probably cut off, or the transcript of another sample.",
                )
            )
        if slow:
            ratio, worst = min(slow)
            found.append(
                finding(
                    "too_slow",
                    "warning",
                    f"{plural(len(slow), 'transcript is', 'transcripts are')} too short for their length: {usual}, "
                    f"{worst} has {math.exp(-ratio):.3g}",
                    (id for _, id in slow),
                    "Compare transcript and signal: there is a long silence or margin, or words are missing.",
                )
            )
    return found
