"""Times faster with two threads than with one: CTCBeamDecoder, a batch of 64, beam 100, peaked emissions, V = 29."""

import sys
import time
from statistics import median

import numpy as np

from benchmarks.result import Result
from benchmarks.synthetic_emissions import synthetic_emissions

NUM_ROUNDS = 9
NUM_SAMPLES = 64
NUM_PASSES = 5


def run() -> Result:
    """Wall time in turn; other programs at work spoil it: one thread then gets less than all of its processor."""
    from common.decoding import CTCBeamDecoder

    with synthetic_emissions("peaky", 29) as path:
        samples = np.load(path)["log_probs"]
    emissions = np.tile(samples, (NUM_SAMPLES // len(samples), 1, 1))
    labels = [str(label) for label in range(emissions.shape[2])]
    decoders = {n: CTCBeamDecoder(labels, log_probs_input=True, num_processes=n) for n in (1, 2)}
    for decoder in decoders.values():
        decoder.decode(emissions)
    ratios, shares = [], []
    for number in range(1, NUM_ROUNDS + 1):
        seconds, used = {}, {}
        for num_threads, decoder in decoders.items():
            begun, cpu_begun = time.perf_counter(), time.process_time()
            for _ in range(NUM_PASSES):
                decoder.decode(emissions)
            seconds[num_threads] = time.perf_counter() - begun
            used[num_threads] = time.process_time() - cpu_begun
        ratios.append(seconds[1] / seconds[2])
        # One thread that is never kept waiting uses as much CPU time as wall time.
        shares.append(used[1] / seconds[1])
        print(f"round {number}: {ratios[-1]:.2f}", file=sys.stderr)
    detail = {
        "cpu_share_of_one_thread": [round(share, 2) for share in shares],
        "ratios": [round(ratio, 2) for ratio in ratios],
        "samples": NUM_SAMPLES,
    }
    return Result(round(median(ratios), 2), "ratio", True, detail)
