"""A recipe of text lines against kraken's own trainer: same lines and splits, wall time, cores and scorer.

GLYPHONE_MINUTES is the time of a training (default 110), GLYPHONE_KRAKEN_RUNS which of kraken's trainings are run.
Cores are those of the calling process: ``taskset -c 0 python -m benchmarks fraktur_vs_kraken`` gives each side the
first one. All of it goes on where a killed call stopped.

Ours trains the recipe's epochs, fewer where they would not fit into the time, with the thread number whose first epoch
is faster. kraken has the whole time, or as long as ours took if that is longer, in each of its runs: its default
network and a small one, with and without its augmentation. Batch size, threads and precision of a run are chosen by
short trials, the run and its checkpoint by validation data, as ours is.
"""

import hashlib
import math
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.peers import ask, peer_python
from benchmarks.processes import watch
from benchmarks.recipes import Run, choose, run_recipe
from benchmarks.result import Result
from benchmarks.training_vs_kraken import SPEC
from benchmarks.workspace import data_folder, environment, workspace
from common.errors import GlyphoneError
from common.files import read_json, read_jsonl, to_json, write_json, write_text
from common.mapping import usable_cores
from common.scoring import ScoredRow, score
from common.text import TextSettings, normalise

MINUTES = 110.0
# kraken's networks; None is the default of `ketos train`.
NETWORKS: dict[str, str | None] = {"small": SPEC, "default": None}
AUGMENTED = "+augment"
RUNS = ("small", "small+augment", "default", "default+augment")
BATCH_SIZES = (1, 8, 16)
PRECISIONS = ("32-true", "bf16-mixed")
NUM_PROBE_LINES = 32
# Of a training's time: a trial of one batch size.
TRIAL_SHARE = 0.08
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Contest:
    """What a race is about.

    Attributes:
        name: of the benchmark and its workspace.
        recipe: in ``recipes/``.
        direction: what a user of kraken gives as ``--base-dir``.
    """

    name: str
    recipe: str
    direction: Literal["auto", "L", "R"] = "auto"


def race(contest: Contest) -> Result:
    """Our character error rate divided by kraken's, on the test lines.

    Raises:
        GlyphoneError: kraken or the corpora are not there, a side failed, or a variable cannot be.
    """
    peer_python("kraken")
    minutes, names = asked_minutes(), asked_runs()
    if not data_folder().is_dir():
        raise GlyphoneError(f"the real corpora are not there: {data_folder()} (set GLYPHONE_DATA)")
    ours, our_choice = train_ours(contest, minutes)
    lines, rows = copy_lines(contest)
    seconds = max(60 * minutes, float(ours.training["seconds"]))
    spelling = TextSettings(**ours.settings["ocr"]["text"])
    runs = {name: train_kraken(contest, name, lines, seconds) for name in names}
    for each in runs.values():
        each["cer"] = {
            split: characters(rows[split], each.pop(split), spelling, ours.settings) for split in ("validation", "test")
        }
    best = min(runs, key=lambda name: runs[name]["cer"]["validation"]["rate"])
    theirs = runs[best]["cer"]["test"]
    if not theirs["errors"]:
        raise GlyphoneError("kraken made no error at all on the test lines: there is no ratio to it")
    own = ours.metrics["characters"]
    detail = {
        "ours": {
            "test": own,
            "validation": ours.metrics["validation"]["characters"]["rate"],
            "training": ours.training,
            "tried": our_choice,
            "command": ours.command,
        },
        "kraken": {"best": best, "runs": runs},
        "seconds allowed": seconds,
        "cores": sorted(os.sched_getaffinity(0)),
        "lines": {split: len(paths) for split, paths in lines.items()},
        "seed": ours.settings["seed"],
    }
    return Result(own["rate"] / theirs["rate"], "ratio", False, detail)


def asked_minutes() -> float:
    """GLYPHONE_MINUTES, minutes of a training. Raises GlyphoneError: not a positive number."""
    text = os.environ.get("GLYPHONE_MINUTES") or str(MINUTES)
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 0 < minutes < math.inf:
        raise GlyphoneError(f"GLYPHONE_MINUTES={text}: a positive number of minutes is needed")
    return minutes


def asked_runs() -> list[str]:
    """GLYPHONE_KRAKEN_RUNS, names of kraken's trainings with blanks between. Raises GlyphoneError: an unknown name."""
    names = (os.environ.get("GLYPHONE_KRAKEN_RUNS") or " ".join(RUNS)).split()
    unknown = [name for name in names if name not in RUNS]
    if unknown or not names:
        raise GlyphoneError(f"GLYPHONE_KRAKEN_RUNS: {' '.join(unknown) or 'nothing'}: there are {', '.join(RUNS)}")
    return names


def train_ours(contest: Contest, minutes: float) -> tuple[Run, dict[str, Any]]:
    """Our recipe through ``dvc repro``, and how its threads and epochs were chosen."""
    folder = workspace(contest.name)
    choose(folder, contest.recipe, {})
    from pipelines.settings import load

    recipe_epochs = int(load(folder / "params.yaml")["ocr"]["training"]["epochs"])
    cores = usable_cores()
    journal = folder / ".work" / f"ours_{cores}_cores.json"
    if not journal.is_file():
        tried = {threads: first_epoch(folder, contest.recipe, threads) for threads in sorted({1, cores})}
        write_json(journal, {"seconds of the first epoch": tried})
    tried = {int(key): value for key, value in read_json(journal)["seconds of the first epoch"].items()}
    threads = min(tried, key=lambda each: tried[each])
    epochs = fitting_epochs(recipe_epochs, minutes, tried[threads])
    print(f"ours: {epochs} of {recipe_epochs} epochs, {threads} threads; first epochs took {tried} s", file=sys.stderr)
    run = run_recipe(
        contest.name,
        contest.recipe,
        "ocr",
        {"ocr.training.num_threads": threads, "ocr.training.epochs": epochs},
    )
    return run, {
        "threads": threads,
        "epochs": epochs,
        "epochs of the recipe": recipe_epochs,
        "seconds of the first epoch": tried,
    }


def fitting_epochs(epochs: int, minutes: float, seconds_an_epoch: float) -> int:
    """As many epochs as the recipe has, fewer if they would take longer than the minutes; at least one."""
    return max(1, min(epochs, int(60 * minutes / seconds_an_epoch)))


def first_epoch(folder: Path, recipe: str, threads: int) -> float:
    """Seconds of one epoch of our train stage, its validation included."""
    choose(folder, recipe, {"ocr.training.num_threads": threads, "ocr.training.epochs": 1})
    watch([sys.executable, "-m", "dvc", "repro", "extract@ocr"], folder, environment())
    watch([sys.executable, "-m", "pipelines.train", "ocr"], folder, environment())
    return float(read_json(folder / "results" / "ocr" / "training.json")["seconds"])


def copy_lines(contest: Contest) -> tuple[dict[str, list[str]], dict[str, list[dict[str, Any]]]]:
    """Pictures with our normalised texts beside them: split → paths, and split → rows of ``samples.jsonl``."""
    folder = workspace(contest.name)
    from pipelines.roots import resolve_root
    from pipelines.settings import load

    corpus = load(folder / "params.yaml")["ocr"]["corpora"][0]
    root = resolve_root(str(corpus["root"]), "ocr.corpora.0.root")
    samples = list(read_jsonl(folder / "data" / "ocr" / "samples.jsonl"))
    rows = {split: [row for row in samples if row["split"] == split] for split in SPLITS}
    paths: dict[str, list[str]] = {}
    for split, members in rows.items():
        paths[split] = []
        for number, row in enumerate(members):
            # kraken takes a name up to its first dot.
            path = folder / ".work" / "lines" / split / f"{number:05d}{Path(row['path']).suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / row["path"], path)
            write_text(path.with_suffix(".gt.txt"), row["text"] + "\n")
            paths[split].append(str(path))
    return paths, rows


def train_kraken(contest: Contest, name: str, lines: Mapping[str, list[str]], seconds: float) -> dict[str, Any]:
    """kraken's answer for one of its runs (``benchmarks/peer/kraken_race.py``) with the settings it had.

    What is done is kept in the workspace, by all that decides it.
    """
    network = name.removesuffix(AUGMENTED)
    folder = workspace(contest.name) / ".work" / "kraken"
    shared: dict[str, Any] = {**lines, "spec": NETWORKS[network], "direction": contest.direction}
    speeds = kept(folder, f"{network}-speeds", shared, lambda: probe(shared, folder))
    fastest = {size: speeds_of(speeds, size)[0]["settings"] for size in BATCH_SIZES if speeds_of(speeds, size)}
    if not fastest:
        raise GlyphoneError(f"kraken trained with none of the settings tried: {speeds[0].get('error')}")

    def trained(settings: Mapping[str, Any], augments: bool, limit: float) -> dict[str, Any]:
        question = {**shared, **settings, "augment": augments, "seconds": limit}
        own = folder / digest(question)
        print(f"kraken: {name}, {dict(settings)}, {limit:.0f} s in {own.name}", file=sys.stderr)
        threads = int(settings["threads"])
        return kept(own, "answer", question, lambda: ask_race({**question, "folder": str(own)}, threads))

    spelling = TextSettings()
    trials = []
    for size, settings in fastest.items():
        answer = trained(settings, False, TRIAL_SHARE * seconds)
        reference = [Path(path).with_suffix(".gt.txt").read_text(encoding="utf-8") for path in lines["validation"]]
        rows = [{"id": str(n), "group": "", "text": normalise(text, spelling)} for n, text in enumerate(reference)]
        rate = characters(rows, answer["validation"], spelling, {"seed": 1})["rate"]
        trials.append({"batch_size": size, "validation": rate, "lines": answer["lines"]})
    # As long as nothing is read, more lines say more than chance.
    best = min(trials, key=lambda trial: (round(trial["validation"], 2), -trial["lines"]))
    settings = fastest[best["batch_size"]]
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


def digest(content: Any) -> str:
    return hashlib.sha256(to_json(content).encode()).hexdigest()[:16]


def kept(folder: Path, name: str, question: Any, answer: Any) -> Any:
    """``answer()``, or what an earlier call with the same question and cores wrote to the folder."""
    path = folder / f"{name}-{digest([question, sorted(os.sched_getaffinity(0))])}.json"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, answer())
    return read_json(path)


def characters(
    rows: Sequence[Mapping[str, Any]], texts: Sequence[str], spelling: TextSettings, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Counts, rate and interval of texts against rows of ``samples.jsonl``, by the scorer of stage evaluate."""
    scored = [
        ScoredRow(row["id"], row["group"], row["text"], normalise(text, spelling), False, 0.0)
        for row, text in zip(rows, texts, strict=True)
    ]
    return dict(score(scored, seed=settings["seed"])["characters"])
