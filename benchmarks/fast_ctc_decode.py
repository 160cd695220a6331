"""Our prefix beam search beside fast-ctc-decode's, one thread each, on the same emissions."""

import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.peers import ask
from benchmarks.result import Result
from benchmarks.synthetic_emissions import synthetic_emissions
from common.errors import GlyphoneError

NUM_ROUNDS = 5
NUM_SAMPLES = 16
SEED = 0
# Ours is over in a moment: so many times over all samples a round.
NUM_PASSES = 20


def compare(kind: str, num_labels: int, beam_width: int) -> Result:
    """``compare_on`` synthetic emissions."""
    with synthetic_emissions(kind, num_labels, NUM_SAMPLES, SEED) as path:
        num_slices = np.load(path)["log_probs"].shape[1]
        about = f"{kind}, {NUM_SAMPLES} samples of {num_slices} slices, V = {num_labels}, seed {SEED}"
        return compare_on(path, beam_width, about)


def compare_on(path: Path, beam_width: int, about: str) -> Result:
    """CPU time of fast-ctc-decode over ours, the median of rounds in turn.

    Args:
        path: of a file with ``log_probs``, at least NUM_SAMPLES samples of float32 [T, V].
        about: what they are, for the record.

    Raises:
        GlyphoneError: best label strings differ, so that the times would not be of the same work.
    """
    from common.decoding import beam

    emissions = np.load(path, allow_pickle=True)["log_probs"][:NUM_SAMPLES]
    question = {"emissions": str(path), "beam_width": beam_width, "samples": NUM_SAMPLES}
    found = [beam.search(log_probs, beam_width)[0][0] for log_probs in emissions]
    ours, theirs = [], []
    for number in range(1, NUM_ROUNDS + 1):
        answer = ask("fast_ctc_decode_search", question)
        if answer["labels"] != found:
            different = sum(mine != other for mine, other in zip(found, answer["labels"], strict=True))
            raise GlyphoneError(f"{different} of {NUM_SAMPLES} best label strings differ from fast-ctc-decode's")
        theirs.append(answer["seconds"] / NUM_SAMPLES)
        begun = time.process_time()
        for _ in range(NUM_PASSES):
            for log_probs in emissions:
                beam.search(log_probs, beam_width)
        ours.append((time.process_time() - begun) / NUM_PASSES / NUM_SAMPLES)
        print(f"round {number}: {1e3 * theirs[-1]:.1f} ms, ours {1e3 * ours[-1]:.3f} ms a sample", file=sys.stderr)
    ratios = [their / our for their, our in zip(theirs, ours, strict=True)]
    detail = {
        "beam_width": beam_width,
        "emissions": about,
        "ours_ms_a_sample": round(1e3 * median(ours), 3),
        "peer": "fast-ctc-decode, beam_cut_threshold 0, one thread, CPU time",
        "peer_ms_a_sample": round(1e3 * median(theirs), 1),
        "ratios": [round(ratio, 1) for ratio in ratios],
        "same_best_strings": NUM_SAMPLES,
    }
    return Result(round(median(ratios), 1), "ratio", True, detail)
