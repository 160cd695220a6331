"""A model whose figure stands in docs/records.md: the recipe, what is set besides, and which rate is reported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.recipes import Run, run_recipe
from benchmarks.workspace import WORKSPACES


@dataclass(frozen=True)
class Record:
    """What is trained and what is read off it.

    Attributes:
        workspace: name of the workspace of seed 1; those that share one share the training.
        recipe, modality: as ``run_recipe`` takes them.
        part: of the metrics, e.g. ``words``.
        overrides: dotted key → value, set after the recipe.
    """

    workspace: str
    recipe: str
    modality: str
    part: str
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def run(self, seed: int = 1, voters: Sequence[int] = (), voting: str = "confidences") -> Run:
        """Train with that seed; what is done answers in seconds. Raises as ``run_recipe``.

        Args:
            voters: seeds whose finished models vote with this one.
            voting: how they do.
        """
        more: dict[str, Any] = {} if seed == 1 else {"seed": seed, f"{self.modality}.prepare.seed": 1}
        if voters:
            from pipelines.voter_folders import voters_digest

            folders = [self.model(each) for each in voters]
            section = f"{self.modality}.evaluate"
            more |= {
                f"{section}.voters": [str(each) for each in folders],
                f"{section}.voting": voting,
                f"{section}.voters_digest": voters_digest(folders),
            }
        return run_recipe(self.name(seed), self.recipe, self.modality, {**self.overrides, **more})

    def name(self, seed: int) -> str:
        """The workspace of a seed."""
        return self.workspace if seed == 1 else f"seeds/{seed}/{self.workspace}"

    def model(self, seed: int) -> Path:
        """The folder of a seed's model, which ``run`` makes."""
        return WORKSPACES / self.name(seed) / "models" / self.modality
