"""A recipe of text lines against another program's own trainer: same lines and splits, wall time, cores and scorer.

GLYPHONE_MINUTES is the time of a training (default 110), GLYPHONE_KRAKEN_RUNS or GLYPHONE_CALAMARI_RUNS which of the
peer's trainings are run. Cores are those of the calling process: ``taskset -c 0 python -m benchmarks NAME`` gives each
side the first one.

Ours trains the recipe's epochs, fewer where they would not fit into the time, with the thread number whose epochs are
shorter. The peer has the whole time, or as long as ours took if that is longer, in each of its runs. Its settings are
chosen by short trials, the run and its checkpoint by validation data, as ours is. Choices take no time of the race.
"""

import hashlib
import math
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.peers import peer_python
from benchmarks.processes import watch
from benchmarks.recipes import Run, choose, run_recipe
from benchmarks.result import Result
from benchmarks.workspace import data_folder, environment, workspace
from common.errors import GlyphoneError
from common.files import read_json, read_jsonl, to_json, write_json, write_text
from common.mapping import usable_cores
from common.scoring import ScoredRow, score
from common.text import TextSettings, normalise

MINUTES = 110.0
# Of a training's time: a trial of one setting.
TRIAL_SHARE = 0.08
TRIED_EPOCHS = 2
SPLITS = ("train", "validation", "test")

Lines = Mapping[str, list[str]]


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


@dataclass(frozen=True)
class Peer:
    """A program to race with.

    Attributes:
        name: it runs in ``.venv-<name>``.
        runs: names of its trainings.
        train: (contest, name of a run, lines, seconds) → its answer, with the texts that it reads in the validation and
            the test lines, and how it came about.
    """

    name: str
    runs: tuple[str, ...]
    train: Callable[[Contest, str, Lines, float], dict[str, Any]]


def race(contest: Contest, peer: Peer) -> Result:
    """Our character error rate divided by the peer's, on the test lines.

    Raises:
        GlyphoneError: the peer or the corpora are not there, a side failed, or a variable cannot be.
    """
    peer_python(peer.name)
    minutes, names = asked_minutes(), asked_runs(peer)
    if not data_folder().is_dir():
        raise GlyphoneError(f"the real corpora are not there: {data_folder()} (set GLYPHONE_DATA)")
    ours, our_choice = train_ours(contest, minutes)
    lines, rows = copy_lines(contest)
    seconds = max(60 * minutes, float(ours.training["seconds"]))
    spelling = TextSettings(**ours.settings["ocr"]["text"])
    runs = {name: peer.train(contest, name, lines, seconds) for name in names}
    for each in runs.values():
        each["cer"] = {
            split: characters(rows[split], each.pop(split), spelling, ours.settings) for split in ("validation", "test")
        }
    best = min(runs, key=lambda name: runs[name]["cer"]["validation"]["rate"])
    theirs = runs[best]["cer"]["test"]
    if not theirs["errors"]:
        raise GlyphoneError(f"{peer.name} made no error at all on the test lines: there is no ratio to it")
    own = ours.metrics["characters"]
    detail = {
        "ours": {
            "test": own,
            "validation": ours.metrics["validation"]["characters"]["rate"],
            "training": ours.training,
            "tried": our_choice,
            "command": ours.command,
        },
        peer.name: {"best": best, "runs": runs},
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


def asked_runs(peer: Peer) -> list[str]:
    """GLYPHONE_<PEER>_RUNS, names of its trainings with blanks between. Raises GlyphoneError: an unknown name."""
    variable = f"GLYPHONE_{peer.name.upper()}_RUNS"
    names = (os.environ.get(variable) or " ".join(peer.runs)).split()
    unknown = [name for name in names if name not in peer.runs]
    if unknown or not names:
        raise GlyphoneError(f"{variable}: {' '.join(unknown) or 'nothing'}: there are {', '.join(peer.runs)}")
    return names


def train_ours(contest: Contest, minutes: float) -> tuple[Run, dict[str, Any]]:
    """Our recipe through ``dvc repro``, and how its threads and epochs were chosen."""
    folder = workspace(contest.name)
    choose(folder, contest.recipe, {})
    from pipelines.settings import load

    recipe_epochs = int(load(folder / "params.yaml")["ocr"]["training"]["epochs"])
    cores = usable_cores()
    journal = folder / ".work" / f"ours-{digest([load(folder / 'params.yaml'), cores])}.json"
    if not journal.is_file():
        short_training(folder, contest.recipe, 1, 1)  # compiles the loops, which is not of the race
        numbers = sorted({1, cores})
        tried = {each: short_training(folder, contest.recipe, each, TRIED_EPOCHS) / TRIED_EPOCHS for each in numbers}
        write_json(journal, {"seconds an epoch": tried})
    tried = {int(key): value for key, value in read_json(journal)["seconds an epoch"].items()}
    threads = min(tried, key=lambda each: tried[each])
    epochs = fitting_epochs(recipe_epochs, minutes, tried[threads])
    print(f"ours: {epochs} of {recipe_epochs} epochs, {threads} threads; an epoch takes {tried} s", file=sys.stderr)
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
        "seconds an epoch": tried,
    }


def fitting_epochs(epochs: int, minutes: float, seconds_an_epoch: float) -> int:
    """As many epochs as the recipe has, fewer if they would take longer than the minutes; at least one."""
    return max(1, min(epochs, int(60 * minutes / seconds_an_epoch)))


def short_training(folder: Path, recipe: str, threads: int, epochs: int) -> float:
    """Seconds of some epochs of our train stage, their validation included."""
    choose(folder, recipe, {"ocr.training.num_threads": threads, "ocr.training.epochs": epochs})
    watch([sys.executable, "-m", "dvc", "repro", "extract@ocr"], folder, environment())
    watch([sys.executable, "-m", "pipelines.train", "ocr"], folder, environment())
    return float(read_json(folder / "results" / "ocr" / "training.json")["seconds"])


def copy_lines(contest: Contest) -> tuple[dict[str, list[str]], dict[str, list[dict[str, Any]]]]:
    """Pictures with our normalised texts beside them: split → paths, and split → rows of ``samples.jsonl``.

    The paths hang on what lies there, and so does all that is kept of a training by its lines.
    """
    folder = workspace(contest.name)
    from pipelines.listing import file_digest
    from pipelines.roots import resolve_root
    from pipelines.settings import load

    corpus = load(folder / "params.yaml")["ocr"]["corpora"][0]
    root = resolve_root(str(corpus["root"]), "ocr.corpora.0.root")
    samples = list(read_jsonl(folder / "data" / "ocr" / "samples.jsonl"))
    rows = {split: [row for row in samples if row["split"] == split] for split in SPLITS}
    content = [[row["id"], row["text"], file_digest(root / row["path"])] for row in samples]
    paths: dict[str, list[str]] = {}
    for split, members in rows.items():
        paths[split] = []
        for number, row in enumerate(members):
            # kraken takes a name up to its first dot.
            path = folder / ".work" / "lines" / digest(content) / split / f"{number:05d}{Path(row['path']).suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / row["path"], path)
            write_text(path.with_suffix(".gt.txt"), row["text"] + "\n")
            paths[split].append(str(path))
    return paths, rows


def best_of_trials(
    candidates: Sequence[Mapping[str, Any]],
    train: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    lines: Lines,
) -> tuple[Mapping[str, Any], list[dict[str, Any]]]:
    """The settings that read the validation lines best after a short training, and what each candidate gave.

    Args:
        train: settings → the answer of a short training, with its texts of the validation lines.
    """
    spelling = TextSettings()
    texts = [Path(path).with_suffix(".gt.txt").read_text(encoding="utf-8") for path in lines["validation"]]
    rows = [{"id": str(n), "group": "", "text": normalise(text, spelling)} for n, text in enumerate(texts)]
    trials = []
    for settings in candidates:
        answer = train(settings)
        rate = characters(rows, answer["validation"], spelling, {"seed": 1})["rate"]
        trials.append({**settings, "validation": rate, "lines": answer["lines"]})
    # As long as nothing is read, more lines say more than chance.
    best = min(range(len(trials)), key=lambda place: (round(trials[place]["validation"], 2), -trials[place]["lines"]))
    return candidates[best], trials


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
