"""A folder in which the stages find settings and a corpus of the toy modality."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipelines.modalities import MODULES


def write_params(folder: Path, corpora: Sequence[Mapping[str, Any]], **sections: Any) -> None:
    """params.yaml with the toy modality alone; sections by name."""
    tree = {"seed": 1, "recipe": "toy", "modalities": ["toy"], "toy": {"corpora": list(corpora), **sections}}
    # JSON is YAML.
    (folder / "params.yaml").write_text(json.dumps(tree, indent=1), "utf-8")


def write_corpus(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A manifest, and a file of numbers for each row that has ``numbers``."""
    folder.mkdir(parents=True, exist_ok=True)
    table = []
    for row in rows:
        if "numbers" in row:
            (folder / row["path"]).write_text(row["numbers"], "utf-8")
        table.append({key: value for key, value in row.items() if key != "numbers"})
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table), "utf-8")


def manifest(root: str = "corpus", **more: Any) -> dict[str, Any]:
    """Entry of ``corpora`` for what ``write_corpus`` wrote."""
    return {"reader": "manifest", "root": root, "manifest": "manifest.jsonl", **more}


def rows(num_groups: int, num_samples: int, **more: Any) -> list[dict[str, Any]]:
    """Good samples, all with contents of their own."""
    return [
        {
            "id": f"{group}-{number}",
            "path": f"{group}-{number}.numbers",
            "text": "ab",
            "group": f"g{group}",
            "numbers": f"{group} {number} 3 4 5",
            **more,
        }
        for group in range(num_groups)
        for number in range(num_samples)
    ]


def enter_workspace(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder the current one, with the toy as a modality."""
    workspace = folder / "workspace"
    workspace.mkdir()
    monkeypatch.chdir(workspace)
    monkeypatch.delenv("GLYPHONE_DATA", raising=False)
    monkeypatch.setitem(MODULES, "toy", "tests.toy.modality")
    return workspace
