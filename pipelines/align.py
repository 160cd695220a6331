"""Find where each word of known transcripts stands: a table of words, to be read as a manifest.

TABLE is a manifest (docs/data.md), its texts are normalised as the model's were. The result has a row a word: path,
start and end in seconds (of text images left, top, right and bottom in pixels), text, group, confidence (geometric mean
of the posteriors of the word's characters), and split and licence where TABLE has them. A word reaches half way to its
neighbours, and at most the margin beyond its own characters. Samples that cannot be aligned are named at the end; then
the exit code is 1.
"""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import GlyphoneError, SampleError, run
from common.tables import JSON_LINES_SUFFIXES
from common.wording import plural

if TYPE_CHECKING:
    import numpy as np

    from common.alphabet import Alphabet
    from common.bundle import Bundle
    from common.modality import Modality, Turn
    from common.samples import Sample

MARGINS = {"s": 0.25, "px": 10.0}
COLUMNS = {"s": ("start", "end"), "px": ("left", "top", "right", "bottom")}
# Endings of tables whose readers expect something else than tabs between cells.
NOT_BY_TABS = (".csv", *JSON_LINES_SUFFIXES)
# Samples that are read, then wait for the network together.
CHUNK = 256


@dataclass(frozen=True, slots=True)
class AlignedWord:
    """A word of a transcript in emission slices [start, end), and its confidence in [0, 1]."""

    text: str
    start: float
    end: float
    confidence: float


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.align", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL", type=Path, help="model folder or its archive, e.g. models/audio")
    parser.add_argument("table", metavar="TABLE", type=Path, help="manifest: columns path and text, and more")
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, help="table to write (.tsv); default: print it")
    parser.add_argument("--only", metavar="WORD", nargs="+", default=[], help="these words only, as aligned")
    parser.add_argument("--margin", metavar="UNITS", type=float, help="seconds or pixels around a word (0.25 or 10)")
    parser.add_argument("--min-confidence", metavar="P", type=float, default=0.0, help="leave out words below (0)")
    options = parser.parse_args()
    if options.output and options.output.resolve() == options.table.resolve():
        raise GlyphoneError(f"-o {options.output}: is TABLE itself, with the transcripts; name another file")
    if options.output and options.output.is_dir():  # or all would be aligned for nothing
        raise GlyphoneError(f"-o {options.output}: a folder; name a file, e.g. {options.output / 'words.tsv'}")
    if options.output and options.output.suffix.lower() in NOT_BY_TABS:
        raise GlyphoneError(f"-o {options.output}: cells are parted by tabs; name it .tsv")
    rows, reasons = align_table(options.model, options.table, set(options.only), options.margin, options.min_confidence)
    text = "".join("\t".join(row) + "\n" for row in rows)
    if options.output:
        from common.files import write_text

        write_text(options.output, text)
        if options.output.resolve().parent != options.table.resolve().parent:
            print(f"paths in {options.output} start at {options.table.parent}, not at its folder", file=sys.stderr)
    else:
        from common.output import put

        put(text)
    for name, reason in reasons.items():
        print(f"not aligned: {name}: {reason}", file=sys.stderr)
    print(f"{plural(len(rows) - 1, 'word')}, {plural(len(reasons), 'sample')} not aligned", file=sys.stderr)
    return 1 if reasons else 0


def align_table(
    model: Path, table: Path, only: set[str], margin: float | None, min_confidence: float
) -> tuple[list[list[str]], dict[str, str]]:
    """Rows of the table of words, its header first, and id → reason of the samples that could not be aligned.

    Raises:
        GlyphoneError: no such model or table, or a margin or confidence that cannot be.
    """
    from common.archive import unpacked
    from common.bundle import read_bundle
    from common.manifest import ManifestSettings, read_manifest
    from common.progress import with_progress
    from pipelines.modalities import modality

    if not 0 <= min_confidence <= 1:
        raise GlyphoneError(f"--min-confidence {min_confidence:g}: a number from 0 to 1 is needed")
    with unpacked(model) as folder:
        bundle = read_bundle(folder)
    if bundle.alphabet.direction == "rtl":
        raise GlyphoneError(f"{model}: a model of lines that read from right to left; align takes left to right alone")
    margin = MARGINS[bundle.unit] if margin is None else margin
    if not 0 <= margin < math.inf:
        raise GlyphoneError(f"--margin {margin:g}: a number from 0 on is needed, in {bundle.unit}")
    kind = modality(bundle.modality)
    if not table.is_file():  # or a table of its name in the current folder would be taken
        raise GlyphoneError(f"{table}: no such file")
    samples = list(read_manifest(ManifestSettings(manifest=table.name), table.parent, 0))
    more = [column for column in ("split", "licence") if any(getattr(sample, column) for sample in samples)]
    rows = [["path", *COLUMNS[bundle.unit], "text", "group", "confidence", *more]]
    reasons: dict[str, str] = {}
    for first in with_progress(range(0, len(samples), CHUNK), math.ceil(len(samples) / CHUNK), "align", "chunk"):
        for sample, found in _aligned(bundle, kind, table.parent, samples[first : first + CHUNK], margin):
            if isinstance(found, str):
                reasons[sample.id] = found
                continue
            for word, places in found:
                if (not only or word.text in only) and word.confidence >= min_confidence:
                    own = [sample.path, *places, word.text, sample.group, f"{word.confidence:.3f}"]
                    rows.append([*own, *(getattr(sample, column) for column in more)])
    return rows, reasons


def words_of(log_probs: "np.ndarray", text: str, alphabet: "Alphabet", margin: float) -> list[AlignedWord]:
    """Words of a normalised text in its emissions float32 [T, V], in order; no two of them overlap.

    Args:
        margin: in emission slices.

    Raises:
        SampleError: characters that the alphabet lacks, no text, or too few slices.
    """
    from common.decoding.alignment import align

    if not text:
        raise SampleError("empty_text", "its transcript is empty")
    if missing := alphabet.unknown(text):
        raise SampleError("unreadable", f"the model's alphabet lacks {missing}")
    labels = alphabet.encode(text)
    try:
        places = align(log_probs, labels)
    except ValueError as error:
        raise SampleError("too_few_slices", str(error)) from None
    cores: list[tuple[str, int, int, float]] = []
    at = 0
    for word in text.split(" "):
        ranges = list(zip(labels[at : at + len(word)], places[at : at + len(word)], strict=True))
        means = [float(log_probs[start:end, label].mean()) for label, (start, end) in ranges]
        cores.append((word, ranges[0][1][0], ranges[-1][1][1], math.exp(sum(means) / len(means))))
        at += len(word) + 1
    found = []
    for number, (word, start, end, confidence) in enumerate(cores):
        before = (cores[number - 1][2] + start) / 2 if number else 0
        behind = (end + cores[number + 1][1]) / 2 if number + 1 < len(cores) else len(log_probs)
        found.append(AlignedWord(word, max(before, start - margin), min(behind, end + margin), confidence))
    return found


def _aligned(
    bundle: "Bundle", kind: "Modality", root: Path, samples: Sequence["Sample"], margin: float
) -> Iterator[tuple["Sample", str | list[tuple[AlignedWord, list[str]]]]]:
    """Each sample with its words and their cells of the table, or with the reason why there are none."""
    import numpy as np

    from common.emissions import emissions
    from common.store import halve
    from common.text import TextSettings, normalise
    from pipelines.roots import check_inside

    front, spelling = kind.SliceSettings(**bundle.slice_settings), TextSettings(**bundle.text_settings)
    read: list[tuple[np.ndarray, Any] | str] = []
    for sample in samples:
        try:
            check_inside(sample, root)
            if set("\t\r\n") & set(sample.path + sample.group + sample.licence):
                raise SampleError("unreadable", "its path, group or licence holds a tab or line end, which parts cells")
            signal = kind.load(sample, root)
            read.append((halve(kind.slices(signal, front)).astype(np.float32), signal))
        except SampleError as error:
            read.append(str(error))
    matrices = [each[0] for each in read if not isinstance(each, str)]
    found = emissions(bundle.network, matrices, exact=True)
    for sample, each in zip(samples, read, strict=True):
        if isinstance(each, str):
            yield sample, each
            continue
        slices, signal = each
        upright, turned = kind.upright(signal, front)
        length = kind.length(upright)
        step = (length / max(1, len(slices)) if bundle.unit == "px" else bundle.step) * bundle.stride
        try:
            words = words_of(next(found), normalise(sample.text, spelling), bundle.alphabet, margin / step)
        except SampleError as error:
            yield sample, str(error)
            continue
        size = (length, kind.height(upright))
        yield sample, list(zip(words, _cells(words, sample, step, size, turned, bundle.unit), strict=True))


def _cells(
    words: Sequence[AlignedWord],
    sample: "Sample",
    step: float,
    size: tuple[float, float],
    turned: "Turn",
    unit: str,
) -> list[list[str]]:
    """Places of a sample's words in its file: seconds to the millisecond, or the edges of a box in whole pixels.

    Each is at least a millisecond or pixel long, and none is over another, also where rounding would have it so.

    Args:
        size: length and height of the upright signal, in units.
        turned: how a picture was turned to be upright.
    """
    from common.writers.boxes import edges
    from common.writers.transcript import whole_spans

    length, height = size
    spans = [(word.start * step, word.end * step) for word in words]
    if unit == "s":
        begin = sample.start or 0.0
        limit = max(1, math.floor((begin + length) * 1000))
        whole = whole_spans([(begin + start, begin + end) for start, end in spans], 1000, limit)
        return [[f"{place / 1000:.3f}" for place in span] for span in whole]
    stored = (round(height), round(length)) if turned else (round(length), round(height))
    left, top = sample.box[:2] if sample.box else (0, 0)
    offsets = (left, top, left, top)
    boxes = [edges(*span, stored, turned) for span in whole_spans(spans, 1, max(1, round(length)))]
    return [[str(offset + edge) for offset, edge in zip(offsets, box, strict=True)] for box in boxes]


if __name__ == "__main__":
    run(main)
