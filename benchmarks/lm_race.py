"""Decoding with a 4-gram word model, ours and a peer's in turn: the time for the same words, right as often.

Emissions and text are those of ``decoding/make_emissions.py`` of the data folder. Its emissions end within a word,
which no word model can write, so each is cut behind its last whole word. All decoders choose alike, on one set of
emissions: alpha and beta from one grid at a wide setting, those with the fewest errors; then of the settings for speed
the quickest whose word error rate is within TOLERANCE of the engine's own best. They are timed on another set.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import numpy as np

from benchmarks.peers import ask
from benchmarks.result import Result
from benchmarks.workspace import data_folder
from common.decoding.alignment import align
from common.decoding.fusion import FusedSearch, Weights
from common.errors import GlyphoneError
from common.language.arpa import read_arpa, write_arpa
from common.language.kneser_ney import train
from common.scoring import Counts, count_words

NUM_TEXTS, ORDER, NUM_FRAMES, ROUNDS = 20_000, 4, 400, 5
NUM_EMISSIONS = {"tuning": 192, "test": 192}
# A few seeds make the script fail: an utterance that ends at its last slice.
SEEDS = {"tuning": 2, "test": 3}
# One or two errors among the words of the tuning set: what chance makes of equal settings.
TOLERANCE = 0.0005
# alpha of ln P, beta for each word.
WEIGHTS = [{"alpha": alpha, "beta": beta} for alpha in (0.4, 0.8, 1.2, 1.6) for beta in (0.0, 1.0, 2.0)]
# The first one is the wide one.
SPEEDS = [
    {"width": width, "margin": margin}
    for width, margin in (
        (32, 12.0),
        (8, 6.0),
        (8, 7.0),
        (8, 8.0),
        (8, 12.0),
        (12, 10.0),
        (16, 10.0),
        (16, 12.0),
        (24, 12.0),
        (64, 16.0),
    )
]


class Race:
    """Data, language model and our decoder, in a folder of their own."""

    def __init__(self, folder: Path, closed: bool, num_labels: int) -> None:
        """Make them; ``closed``: only words of the model are written."""
        self.folder, self.num_labels = folder, num_labels
        self.sets = {name: self._emissions(name) for name in SEEDS}
        corpus = folder / "text.txt"
        self._make("--corpus", str(NUM_TEXTS), str(corpus))
        lines = corpus.read_text(encoding="utf-8").splitlines()
        self.arpa = folder / "words.arpa"
        write_arpa(self.arpa, train([line.split() for line in lines], ORDER)[0])
        self.words = sorted({word for line in lines for word in line.split()})
        self.labels = self.sets["test"]["labels"].tolist()
        self.search = FusedSearch(
            self.labels[1:], read_arpa(self.arpa), "word", Weights(closed=closed, single_spaces=True)
        )

    def ours(self, name: str, settings: dict[str, Any]) -> tuple[float, list[str]]:
        """Processor seconds and texts."""
        given = {name: settings[name] for name in ("alpha", "beta", "margin")}
        search, width = self.search.with_weights(replace(self.search.weights, **given)), settings["width"]
        emissions = [np.ascontiguousarray(each) for each in self.sets[name]["log_probs"]]
        search.search(emissions[0], width)
        started = process_time()
        found = [search.search(each, width)[0].labels for each in emissions]
        seconds = process_time() - started
        return seconds, ["".join(self.labels[label] for label in labels) for labels in found]

    def theirs(self, script: str, name: str, settings: list[dict[str, Any]]) -> list[tuple[float, list[str]]]:
        question = {"emissions": str(self.folder / f"{name}.npz"), "arpa": str(self.arpa), "words": self.words}
        return [(each["seconds"], each["texts"]) for each in ask(script, question | {"settings": settings})]

    def errors(self, name: str, texts: list[str]) -> Counts:
        total = Counts(0, 0, 0, 0)
        for reference, text in zip(self.sets[name]["texts"].tolist(), texts, strict=True):
            total += count_words(reference, " ".join(text.split()))
        return total

    def _make(self, *arguments: str) -> None:
        script = data_folder() / "decoding" / "make_emissions.py"
        if not script.is_file():
            raise GlyphoneError(f"{script}: no such file (set GLYPHONE_DATA to the folder of the real data)")
        # Its first argument names the emissions' file even where it writes text.
        subprocess.run([sys.executable, script, *arguments], check=True, stdout=subprocess.DEVNULL)

    def _emissions(self, name: str) -> dict[str, np.ndarray]:
        path = self.folder / f"{name}.npz"
        numbers = {"n": NUM_EMISSIONS[name], "frames": NUM_FRAMES, "seed": SEEDS[name], "vocab": self.num_labels}
        self._make(str(path), *(text for key, value in numbers.items() for text in (f"--{key}", str(value))))
        with np.load(path) as data:
            made = dict(data)
        space = made["labels"].tolist().index(" ")
        cut, texts = [], []
        for log_probs, text, targets in zip(made["log_probs"], made["texts"].tolist(), made["targets"], strict=True):
            labels = [label for label in targets.tolist() if label > 0]
            last = max(place for place, label in enumerate(labels) if label == space)
            cut.append(log_probs[: align(log_probs, labels)[last][0]])
            texts.append(text.rpartition(" ")[0])
        emissions = np.empty(len(cut), object)
        emissions[:] = cut
        found = {"log_probs": emissions, "labels": made["labels"], "texts": np.array(texts)}
        np.savez(path, **found)
        return found


def race(script: str, peer: str, peer_speeds: list[dict[str, Any]], closed: bool, num_labels: int = 29) -> Result:
    """The peer's processor time divided by ours, the median of rounds in turn.

    Args:
        peer_speeds: its settings for speed, the first one wide.
        closed: ours writes words of the model alone, as the peer does; else any words.
        num_labels: V, the blank included: 29 for characters; more for the most frequent pairs of letters besides.

    Raises:
        GlyphoneError: the peers or the data are missing, or ours makes more errors than the peer.
    """
    with tempfile.TemporaryDirectory() as folder:
        run = Race(Path(folder), closed, num_labels)
        theirs = _choose(run, peer, peer_speeds, lambda settings: run.theirs(script, "tuning", settings))
        ours = _choose(run, "ours", SPEEDS, lambda settings: [run.ours("tuning", each) for each in settings])
        rounds = []
        for number in range(ROUNDS):
            rounds.append((run.ours("test", ours), run.theirs(script, "test", [theirs])[0]))
            print(f"round {number + 1}: {rounds[-1][0][0]:.3f} s, {rounds[-1][1][0]:.3f} s", file=sys.stderr)
        counts = [run.errors("test", texts) for _, texts in rounds[-1]]
        detail = {
            "seconds": {"ours": median(ours[0] for ours, _ in rounds), peer: median(each[0] for _, each in rounds)},
            "settings": {"ours": ours, peer: theirs},
            "test_word_error_rate": {"ours": counts[0].rate, peer: counts[1].rate},
            "test_word_errors": {"ours": counts[0].errors, peer: counts[1].errors},
            "test_words": counts[0].reference,
            "rounds": ROUNDS,
            "utterances": NUM_EMISSIONS["test"],
            "seeds": SEEDS,
            "closed": closed,
            "labels": num_labels,
            "time": "processor seconds of decoding, one thread",
        }
        print(f"settings {detail['settings']}, errors {detail['test_word_errors']}", file=sys.stderr)
        if counts[0].errors > counts[1].errors:
            raise GlyphoneError(
                f"ours makes more errors than {peer}: {detail['test_word_error_rate']}; no ratio to tell"
            )
        return Result(median(theirs[0] / ours[0] for ours, theirs in rounds), "ratio", True, detail)


def _choose(
    run: Race,
    name: str,
    speeds: list[dict[str, Any]],
    decode: Callable[[list[dict[str, Any]]], list[tuple[float, list[str]]]],
) -> dict[str, Any]:
    """An engine's settings by its results on the tuning set, as the module says."""
    wide, *others = speeds

    def tried(settings: list[dict[str, Any]]) -> list[tuple[float, float, dict[str, Any]]]:
        rows = []
        for each, (seconds, texts) in zip(settings, decode(settings), strict=True):
            errors = run.errors("tuning", texts)
            print(f"{name}: {each}: {errors.errors} errors, {seconds:.3f} s", file=sys.stderr)
            rows.append((errors.rate, seconds, each))
        return rows

    weighted = tried([wide | weights for weights in WEIGHTS])
    best = min(weighted, key=lambda row: row[:2])
    rows = [best, *tried([best[2] | speed for speed in others])]
    bar = min(rate for rate, _, _ in rows) + TOLERANCE
    return min((row for row in rows if row[0] <= bar), key=lambda row: row[1])[2]
