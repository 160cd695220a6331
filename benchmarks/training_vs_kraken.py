"""Lines a second in training against kraken's own trainer: same lines, same network, each with its best settings.

Lines of the fraktur corpus and the default network of text images, which kraken gets as VGSL (it has no normalisation
there, so its network is a little cheaper). Each side first tries its settings on one epoch, then both train in turn.
Wall time of training epochs; ours holds its validation and checkpoints too, kraken's neither.
"""

import shutil
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.peers import ask, peer_python
from benchmarks.processes import watch
from benchmarks.recipes import choose
from benchmarks.result import Result
from benchmarks.workspace import data_folder, environment, workspace
from common.errors import GlyphoneError
from common.files import read_json, write_text
from common.tables import read_table

NUM_LINES = {"train": 200, "validation": 20, "test": 20}
EPOCHS, NUM_ROUNDS = 2, 3
SPEC = "[1,32,0,1 Cr3,3,16 Mp2,2 Cr3,3,48 Mp2,2 Cr3,3,96 Mp2,1 S1(1x0)1,3 Do0.1,2 Lbx128 Do0.1,2 Lbx128 Do0.1,2]"
THEIRS = [
    {"batch_size": size, "threads": threads, "workers": workers, "precision": precision}
    for size in (1, 8, 16)
    for threads, workers in ((1, 1), (2, 0))
    for precision in ("32-true", "bf16-mixed")
]
# As kraken's, of about 4, 11 and 22 lines.
OURS = [{"batch_slices": slices, "num_threads": threads} for slices in (3000, 8192, 16384) for threads in (1, 2)]
THREADS = 2  # most that kraken may take


def run() -> Result:
    peer_python("kraken")
    folder = workspace("training_vs_kraken")
    lines = copy_lines(folder / ".work" / "lines")
    question = {
        "train": lines["train"],
        "validation": lines["validation"],
        "spec": SPEC,
        "folder": str(folder / ".work"),
    }
    tried = ask("kraken_training", {**question, "epochs": 1, "settings": THEIRS}, "kraken", THREADS, shows=True)
    ran = [place for place in range(len(THEIRS)) if tried[place]["seconds"]]
    if not ran:
        raise GlyphoneError(f"kraken trained with none of the settings tried: {tried[0]['error']}")
    theirs = THEIRS[min(ran, key=lambda place: tried[place]["seconds"][0])]
    tried_by_us = [train(folder, each, 1) for each in OURS]
    ours_best = OURS[tried_by_us.index(min(tried_by_us))]
    rounds = []
    for _ in range(NUM_ROUNDS):
        ours = train(folder, ours_best, EPOCHS)
        answer = ask("kraken_training", {**question, "epochs": EPOCHS, "settings": [theirs]}, "kraken", THREADS)[0]
        rounds.append({"ours": ours, "kraken": statistics.mean(answer["seconds"])})
        print(rounds[-1], file=sys.stderr)
    detail: dict[str, Any] = {
        "seconds an epoch": rounds,
        "lines": NUM_LINES["train"],
        "lines a second": {
            side: round(NUM_LINES["train"] / statistics.median(each[side] for each in rounds), 2)
            for side in ("ours", "kraken")
        },
        "kraken's settings": theirs,
        "kraken's settings, seconds": [
            round(each["seconds"][0], 2) if each["seconds"] else each["error"] for each in tried
        ],
        "parameters": {
            "kraken": answer["parameters"],
            "ours": read_json(folder / "results" / "ocr" / "training.json")["num_parameters"],
        },
        "our settings": ours_best,
        "our settings, seconds": tried_by_us,
        "spec": SPEC,
    }
    return Result(statistics.median(each["kraken"] / each["ours"] for each in rounds), "ratio", True, detail)


def copy_lines(target: Path) -> dict[str, list[str]]:
    """Pictures with ``.gt.txt`` beside them in a folder a split: split → paths. Every n-th line of the corpus."""
    root = data_folder() / "ocr" / "fraktur"
    if not root.is_dir():
        raise GlyphoneError(f"{root}: no such folder; the lines to train on lie there (set GLYPHONE_DATA)")
    rows = list(read_table(root / "lines.tsv", required=("path", "text")))
    rows = rows[:: len(rows) // sum(NUM_LINES.values())]
    paths: dict[str, list[str]] = {}
    shutil.rmtree(target, ignore_errors=True)  # lines of an earlier run
    for split, count in NUM_LINES.items():
        paths[split] = []
        for row in rows[:count]:
            path = target / split / Path(row["path"]).name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / row["path"], path)
            write_text(path.with_suffix(".gt.txt"), row["text"] + "\n")
            paths[split].append(str(path))
        rows = rows[count:]
    return paths


def train(folder: Path, training: Mapping[str, int], epochs: int) -> float:
    """Seconds an epoch of our train stage, with these settings of ``training``."""
    from pipelines.listing import listing

    root = folder / ".work" / "lines"
    # With the listing DVC sees that there are other lines than in an earlier run.
    corpus = {"reader": "line_pairs", "root": str(root), "splits_from_folders": True, "listing": listing(root)}
    settings = {"corpora.0": corpus, "training.epochs": epochs}
    settings |= {f"training.{key}": value for key, value in training.items()}
    choose(folder, "default", {f"ocr.{key}": value for key, value in settings.items()})
    watch([sys.executable, "-m", "dvc", "repro", "extract@ocr"], folder, environment())
    shutil.rmtree(folder / ".state", ignore_errors=True)
    watch([sys.executable, "-m", "pipelines.train", "ocr"], folder, environment())
    return read_json(folder / "results" / "ocr" / "training.json")["seconds"] / epochs
