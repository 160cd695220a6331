"""Lines transcribed a second, greedy, against kraken: same lines, same network, each with its best settings.

From picture files to text, wall time. Lines of the fraktur corpus; kraken gets them on one page, so that it can put
them into batches, and may read lines in processes of its own.
"""

import statistics
import sys
import time

import torch

from benchmarks.peers import ask
from benchmarks.result import Result
from benchmarks.training_vs_kraken import SPEC, copy_lines, train
from benchmarks.workspace import workspace

THEIRS = [
    {"batch_size": size, "threads": threads, "workers": workers}
    for size in (1, 8, 32)
    for threads, workers in ((1, 0), (2, 0), (1, 2), (2, 2))
]
OURS = (1, 2)  # threads
THREADS = 2  # most that kraken may take
NUM_ROUNDS = 3


def run() -> Result:
    from pipelines.recogniser import Recogniser

    folder = workspace("training_vs_kraken")
    lines = copy_lines(folder / ".work" / "lines")["train"]
    bundle = folder / "models" / "ocr"
    if not (bundle / "bundle.json").is_file():
        train(folder, {"num_threads": 1}, 1)
    recogniser = Recogniser.load(bundle)

    def ours(threads: int) -> float:
        torch.set_num_threads(threads)
        started = time.perf_counter()
        assert len(list(recogniser.transcribe_all(lines))) == len(lines)
        return time.perf_counter() - started

    alphabet = "".join(chr(0x100 + number) for number in range(len(recogniser.bundle.alphabet) - 1))
    question = {"lines": lines, "spec": SPEC, "alphabet": alphabet}
    tried = ask("kraken_transcription", {**question, "settings": THEIRS, "rounds": 1}, "kraken", THREADS)
    theirs = THEIRS[min(range(len(THEIRS)), key=lambda place: tried[place][0])]
    ours(1)  # compiles
    threads = min(OURS, key=ours)
    rounds = []
    for _ in range(NUM_ROUNDS):
        seconds = ours(threads)
        kraken = ask("kraken_transcription", {**question, "settings": [theirs], "rounds": 1}, "kraken", THREADS)[0][0]
        rounds.append({"ours": round(seconds, 3), "kraken": round(kraken, 3)})
        print(rounds[-1], file=sys.stderr)
    detail = {
        "seconds": rounds,
        "lines": len(lines),
        "lines a second": {
            side: round(len(lines) / statistics.median(each[side] for each in rounds), 1) for side in ("ours", "kraken")
        },
        "kraken's settings": theirs,
        "our threads": threads,
        "spec": SPEC,
    }
    return Result(statistics.median(each["kraken"] / each["ours"] for each in rounds), "ratio", True, detail)
