"""calamari's side of a race over text lines (``benchmarks/line_race.py``), with its default network and two others.

Batch size and threads of a run are chosen by short trials. A training that was killed starts again.
"""

import sys
from collections.abc import Mapping
from typing import Any

from benchmarks.line_race import TRIAL_SHARE, Contest, Lines, Peer, best_of_trials, digest, kept
from benchmarks.peers import ask
from benchmarks.workspace import workspace
from common.mapping import usable_cores

# Its networks, and the height of lines: what `calamari-train` has by default, the network that its README recommends,
# and that of our default recipe in its notation, where the first number of a pool is of time.
SMALL = "cnn=16:3x3,pool=2x2,cnn=48:3x3,pool=2x2,cnn=96:3x3,pool=1x2,lstm=128,lstm=128,dropout=0.1"
NETWORKS: dict[str, dict[str, Any]] = {
    "small": {"network": SMALL, "height": 32},
    "default": {"network": "def", "height": 48},
    "deep3": {"network": "deep3", "height": 48},
}
BATCH_SIZES = (4, 16)  # its default is 16
TRIAL_SECONDS = 60.0  # at least: keeping weights takes it seconds


def train_calamari(contest: Contest, name: str, lines: Lines, seconds: float) -> dict[str, Any]:
    """Its answer for one of ``NETWORKS`` (``benchmarks/peer/calamari_race.py``) with the settings it had.

    What is done is kept in the workspace, by all that decides it.
    """
    folder = workspace(contest.name) / ".work" / "calamari"

    def trained(settings: Mapping[str, Any], limit: float) -> dict[str, Any]:
        question = {**lines, **NETWORKS[name], **settings, "seconds": limit}
        own = folder / digest(question)
        print(f"calamari: {name}, {dict(settings)}, {limit:.0f} s in {own.name}", file=sys.stderr)
        threads = int(settings["threads"])
        return kept(own, "answer", question, lambda: ask_race({**question, "folder": str(own)}, threads))

    candidates = [
        {"batch_size": size, "threads": threads} for size in BATCH_SIZES for threads in sorted({1, usable_cores()})
    ]
    trial = min(seconds, max(TRIAL_SECONDS, TRIAL_SHARE * seconds))
    settings, trials = best_of_trials(candidates, lambda each: trained(each, trial), lines)
    return {**trained(settings, seconds), "settings": settings, "trials": trials}


def ask_race(question: Mapping[str, Any], threads: int) -> Any:
    return ask("calamari_race", question, "calamari", threads, shows=True)


CALAMARI = Peer("calamari", tuple(NETWORKS), train_calamari)
