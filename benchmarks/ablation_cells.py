"""A cell of the ablations: one variant trained with one seed, its errors on each validation sample kept in a file.

The test set is not read: of the pipeline only prepare, extract and train run.
"""

import hashlib
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.ablation_variants import Variant, fingerprint
from benchmarks.processes import watch
from benchmarks.result import host
from benchmarks.workspace import REPOSITORY, environment
from common.files import atomic, read_json, to_json, write_text

# In Git, unlike a workspace: a table takes hours, and may grow over many days and machines.
CELLS = REPOSITORY / "benchmarks" / "ablation_cells"
# The splits are drawn with it, whatever seed trains: all cells are compared on the same validation samples.
DATA_SEED = 1


def cell_file(modality: str, name: str, seed: int, cells: Path = CELLS) -> Path:
    return cells / modality / f"{name}-{seed}.json"


def finished(file: Path, tree: Mapping[str, Any], modality: str) -> dict[str, Any] | None:
    """The cell in a file, or None where there is none or it was trained with other settings."""
    if not file.is_file():
        return None
    cell = read_json(file)
    return cell if cell["fingerprint"] == fingerprint(tree, modality) else None


def read_samples(file: Path, cell: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The validation samples of a cell, which all cells of equal data share: ids, groups, words, characters."""
    return read_json(samples_file(file, cell["validation"]))


def samples_file(file: Path, digest: str) -> Path:
    return file.with_name(f"validation_{digest}.json")


def write_cell(file: Path, cell: Mapping[str, Any], samples: Mapping[str, list[Any]]) -> None:
    """Write a cell, and before it the samples that it counts on; a line a key, so that the files stay readable."""
    digest = hashlib.sha256(to_json(samples).encode()).hexdigest()[:12]
    _write(samples_file(file, digest), samples)
    _write(file, {**cell, "validation": digest})


def _write(file: Path, tree: Mapping[str, Any]) -> None:
    lines = (f"{to_json(key)}: {to_json(tree[key])}" for key in sorted(tree))
    write_text(file, "{\n" + ",\n".join(lines) + "\n}\n")


def train_cell(
    folder: Path, variant: Variant, modality: str, seed: int, tree: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Train in a workspace and transcribe the validation samples; a killed training goes on where it was.

    Args:
        folder: the workspace, whose ``params.yaml`` is written.
        tree: all settings of the variant, with the digests of its corpora's files.

    Returns:
        The cell and its validation samples, as ``write_cell`` takes them.

    Raises:
        GlyphoneError: a stage failed.
    """
    trained_by = commit()
    write_params(folder, tree | {"seed": DATA_SEED})
    watch([sys.executable, "-m", "dvc", "repro", "-q", f"extract@{modality}"], folder, environment())
    # Without DVC, which would make another split of the data for another seed.
    write_params(folder, tree | {"seed": seed})
    usage = watch([sys.executable, "-m", "pipelines.train", modality], folder, environment())
    training = read_json(folder / "results" / modality / "training.json")
    # A training that was gone on with took more time than was watched.
    whole = usage.seconds >= training["seconds"]
    samples, errors = validation_errors(folder, modality)
    cell = {
        "variant": variant.name,
        "modality": modality,
        "seed": seed,
        "settings": variant.differs(modality),
        "fingerprint": fingerprint(tree, modality),
        "training": {key: training[key] for key in ("seconds", "epochs", "best_epoch", "num_parameters", "precision")},
        "cpu_seconds": round(usage.cpu_seconds, 1) if whole else None,
        "host": host(),
        "commit": trained_by,
        **errors,
    }
    return cell, samples


def write_params(folder: Path, tree: Mapping[str, Any]) -> None:
    from ruamel.yaml import YAML

    with atomic(folder / "params.yaml") as file:
        YAML().dump(dict(tree), file)


def validation_errors(folder: Path, modality: str) -> tuple[dict[str, list[Any]], dict[str, list[int]]]:
    """The validation samples with their numbers of words and characters, and the errors on each, greedily decoded."""
    # Imported late, so that listing the benchmarks needs no torch.
    from common.bundle import read_bundle
    from common.decoding import greedy
    from common.edits import count_characters, count_words
    from common.emissions import emissions
    from common.store import Store

    bundle = read_bundle(folder / "models" / modality)
    store = Store(folder / "data" / modality / "slices" / "validation.arrow")
    matrices = (store.slices(row) for row in range(len(store)))
    texts = [bundle.alphabet.decode(greedy.search(each)[0]) for each in emissions(bundle.network, matrices, exact=True)]
    words = [count_words(*pair) for pair in zip(store.texts, texts, strict=True)]
    characters = [count_characters(*pair) for pair in zip(store.texts, texts, strict=True)]
    samples: dict[str, list[Any]] = {
        "ids": list(store.ids),
        "groups": list(store.groups),
        "words": [each.reference for each in words],
        "characters": [each.reference for each in characters],
    }
    return samples, {
        "word_errors": [each.errors for each in words],
        "character_errors": [each.errors for each in characters],
    }


def commit(repository: Path = REPOSITORY) -> str:
    """Commit of the working tree, with a plus sign where files differ from it; empty outside of Git."""
    done = subprocess.run(
        ["git", "describe", "--always", "--abbrev=7", "--dirty=+", "--exclude=*"],
        cwd=repository,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()
