"""Times faster than fast-ctc-decode without pruning: exact beam 100, emissions of AN4's model, one thread."""

import tempfile
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.fast_ctc_decode import NUM_SAMPLES, compare_on
from benchmarks.real_emissions import real_emissions
from benchmarks.result import Result
from benchmarks.workspace import WORKSPACES
from common.errors import GlyphoneError

MODEL = WORKSPACES / "an4_wer_greedy" / "models" / "audio"


def run() -> Result:
    """On the first validation recordings, with the model that benchmark an4_wer_greedy left in its workspace."""
    chosen = list(islice(real_emissions(MODEL), NUM_SAMPLES))
    if len(chosen) < NUM_SAMPLES:
        raise GlyphoneError(f"{MODEL}: no trained model beside its data; run python -m benchmarks an4_wer_greedy first")
    emissions = np.empty(NUM_SAMPLES, object)
    emissions[:] = chosen
    num_slices, (_, num_labels) = sum(map(len, chosen)), chosen[0].shape
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "emissions.npz"
        np.savez(path, log_probs=emissions)
        about = f"AN4, {NUM_SAMPLES} validation recordings of {num_slices} slices in all, V = {num_labels}"
        return compare_on(path, beam_width=100, about=about)
