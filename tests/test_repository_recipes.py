"""The recipes of this repository: complete, checked, and each what it says over another."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipelines import recipe
from pipelines.recipe import merge
from pipelines.settings import load, read

ROOT = Path(__file__).parent.parent


# What a recipe with pre-training changes of training behind it.
PRETRAINED: dict[str, dict] = {
    "an4_pretrained": {},
    "iiit5k_pretrained": {"epochs": 24, "consistency": 0.2},
    "arabic_pretrained": {},
    "fraktur_pretrained": {"epochs": 36, "consistency": 0.2},
}


NAMES = (
    "default",
    "an4",
    "arabic",
    "fsdd",
    "fsdd_official",
    "iiit5k",
    "fraktur",
    "librispeech",
    "lines",
    "speech",
    "uw3",
    *PRETRAINED,
)


@pytest.mark.parametrize("name", NAMES)
def test_recipes_of_the_repository(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every recipe fits the settings; the roots need not be there for that."""
    monkeypatch.chdir(ROOT)
    assert len((ROOT / "recipes" / f"{name}.yaml").read_text("utf-8").splitlines()) <= 100
    tree = recipe.compose(name)
    for key, _, entry in recipe.folders_needed(tree):
        assert key
        entry["root"] = str(tmp_path)
    recipe.fill_listings(tree, download=False)
    recipe.write_params(tree, tmp_path / "params.yaml")
    for modality in tree["modalities"]:
        assert read(modality, "corpora", path=tmp_path / "params.yaml").corpora


@pytest.mark.parametrize("name", PRETRAINED)
def test_a_recipe_over_another_differs_from_it_by_what_it_says(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    tree, base = recipe.compose(name), recipe.compose(name.removesuffix("_pretrained"))
    assert recipe.BASE not in tree and tree["recipe"] == name
    (modality,) = tree["modalities"]
    chosen, off = (each[modality].pop("pretraining") for each in (tree, base))
    assert chosen["stream"]["samples"] > 0 and off == {"stream": {"samples": 0}}
    merge(base[modality], {"training": PRETRAINED[name]})
    assert tree[modality] == base[modality]


def test_params_have_every_section_that_a_stage_of_dvc_names() -> None:
    """DVC refuses a stage whose section is missing, also where all of its settings have defaults."""
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"].values()
    params = load(ROOT / "params.yaml")
    for each in {key for stage in stages for key in stage["params"] if key.startswith("${item.modality}.")}:
        for name in params["modalities"]:
            assert each.removeprefix("${item.modality}.") in params[name], (name, each)
