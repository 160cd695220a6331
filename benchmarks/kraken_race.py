"""kraken's side of a race over text lines (``benchmarks/line_race.py``), with its default network and a small one.

Each may train with and without kraken's augmentation. Batch size, threads and precision of a run are chosen by short
trials. A killed call goes on in the midst of a training.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.line_race import TRIAL_SHARE, Contest, Lines, Peer, best_of_trials, digest, kept
from benchmarks.peers import ask
from benchmarks.training_vs_kraken import SPEC
from benchmarks.workspace import workspace
from common.errors import GlyphoneError
from common.mapping import usable_cores

# Its networks; None is the default of `ketos train`.
NETWORKS: dict[str, str | None] = {"small": SPEC, "default": None}
AUGMENTED = "+augment"
RUNS = ("small", "small+augment", "default", "default+augment")
BATCH_SIZES = (1, 8, 16)
PRECISIONS = ("32-true", "bf16-mixed")
NUM_PROBE_LINES = 32


def train_kraken(contest: Contest, name: str, lines: Lines, seconds: float) -> dict[str, Any]:
    """Its answer for one of ``RUNS`` (``benchmarks/peer/kraken_race.py``) with the settings it had.

    What is done is kept in the workspace, by all that decides it.
    """
    network = name.removesuffix(AUGMENTED)
    folder = workspace(contest.name) / ".work" / "kraken"
    shared: dict[str, Any] = {**lines, "spec": NETWORKS[network], "direction": contest.direction}
    speeds = kept(folder, f"{network}-speeds", shared, lambda: probe(shared, folder))
    fastest = [speeds_of(speeds, size)[0]["settings"] for size in BATCH_SIZES if speeds_of(speeds, size)]
    if not fastest:
        raise GlyphoneError(f"kraken trained with none of the settings tried: {speeds[0].get('error')}")

    def trained(settings: Mapping[str, Any], augments: bool, limit: float) -> dict[str, Any]:
        question = {**shared, **settings, "augment": augments, "seconds": limit}
        own = folder / digest(question)
        print(f"kraken: {name}, {dict(settings)}, {limit:.0f} s in {own.name}", file=sys.stderr)
        threads = int(settings["threads"])
        return kept(own, "answer", question, lambda: ask_race({**question, "folder": str(own)}, threads))

    settings, trials = best_of_trials(fastest, lambda each: trained(each, False, TRIAL_SHARE * seconds), lines)
    answer = trained(settings, name.endswith(AUGMENTED), seconds)
    return {**answer, "settings": settings, "trials": trials, "speeds": speeds}


def ask_race(question: Mapping[str, Any], threads: int) -> Any:
    return ask("kraken_race", question, "kraken", threads, shows=True)


def probe(shared: Mapping[str, Any], folder: Path) -> list[dict[str, Any]]:
    """Seconds that kraken takes for some lines, by batch size, threads and precision."""
    cores = usable_cores()
    # A process of its own reads pictures where a core is left for it.
    threads = [(number, int(number < cores)) for number in range(1, cores + 1)]
    settings = [
        {"batch_size": size, "threads": number, "workers": workers, "precision": precision}
        for size in BATCH_SIZES
        for number, workers in threads
        for precision in PRECISIONS
    ]
    print(f"kraken: trying {len(settings)} settings on {NUM_PROBE_LINES} lines", file=sys.stderr)
    question = {
        "train": shared["train"][:NUM_PROBE_LINES],
        "validation": shared["validation"][:1],
        "spec": shared["spec"],
        "epochs": 1,
        "folder": str(folder),
        "settings": settings,
    }
    answers = ask("kraken_training", question, "kraken", cores, shows=True)
    return [{"settings": each, **answer} for each, answer in zip(settings, answers, strict=True)]


def speeds_of(speeds: Sequence[Mapping[str, Any]], batch_size: int) -> list[Mapping[str, Any]]:
    """The settings with a batch size that ran, the fastest first."""
    ran = [each for each in speeds if each["settings"]["batch_size"] == batch_size and each["seconds"]]
    return sorted(ran, key=lambda each: each["seconds"][0])


KRAKEN = Peer("kraken", RUNS, train_kraken)
