"""Recipes: merged over the default, checked, written with the listings of their corpora."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import GlyphoneError, SettingsError
from pipelines import recipe
from pipelines.listing import listing
from pipelines.modalities import MODULES
from pipelines.recipe import main, merge
from pipelines.settings import load, read
from tests.toy.workspace import rows, write_corpus


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A repository with the toy as its one modality and three recipes."""
    folder = tmp_path / "repository"
    (folder / "recipes").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("GLYPHONE_DATA", raising=False)
    before = dict(MODULES)
    MODULES.clear()
    MODULES["toy"] = "tests.toy.modality"
    (folder / "recipes" / "default.yaml").write_text(
        "seed: 1\nmodalities: [toy]\ntoy:\n  corpora:\n    - reader: synthetic\n"
        "  training:  # how long\n    epochs: 5  # passes\n    learning_rate: 1e-3\n"
    )
    (folder / "recipes" / "mine.yaml").write_text(
        "toy:\n  corpora:\n    - reader: manifest\n      manifest: manifest.jsonl\n      root: corpus\n"
        "  training: {epochs: 7}\n"
    )
    (folder / "recipes" / "own.yaml").write_text("toy:\n  corpora:\n    - {reader: folder, root: ''}\n")
    write_corpus(folder / "corpus", rows(2, 2))
    yield folder
    MODULES.clear()
    MODULES.update(before)  # in their order


def params() -> dict[str, Any]:
    return load("params.yaml")


def test_default_recipe_keeps_its_comments(workspace: Path) -> None:
    main(["default"])
    text = Path("params.yaml").read_text("utf-8")
    assert "recipe: default" in text and "# passes" in text and "learning_rate: 1e-3" in text
    assert read("toy", "training").training.learning_rate == 1e-3


def test_overrides_lie_over_the_default(workspace: Path) -> None:
    main(["mine"])
    tree = params()
    assert tree["toy"]["training"] == {"epochs": 7, "learning_rate": 1e-3}
    assert tree["recipe"] == "mine"
    assert [entry["reader"] for entry in tree["toy"]["corpora"]] == ["manifest"]
    assert tree["toy"]["corpora"][0]["listing"] == listing(Path("corpus"))


def test_again_the_same_bytes(workspace: Path) -> None:
    contents = []
    for arguments in (["mine"], ["default"], ["mine"], ["--refresh"]):
        main(arguments)
        contents.append(Path("params.yaml").read_bytes())
    assert contents[0] == contents[2] == contents[3] != contents[1]


def test_refresh_keeps_edits_and_sees_a_changed_corpus(workspace: Path) -> None:
    main(["mine"])
    path = Path("params.yaml")
    path.write_text(path.read_text("utf-8").replace("epochs: 7", "epochs: 9"), "utf-8")
    before = params()["toy"]["corpora"][0]["listing"]
    (workspace / "corpus" / "new.numbers").write_text("1", "utf-8")
    main(["--refresh"])
    assert params()["toy"]["training"]["epochs"] == 9
    assert params()["toy"]["corpora"][0]["listing"] != before


def test_settings_that_a_recipe_takes_back_are_named(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["default"])
    assert capsys.readouterr().err == ""
    params = workspace / "params.yaml"
    params.write_text(params.read_text("utf-8").replace("seed: 1", "seed: 7"), "utf-8")
    main(["default"])
    assert capsys.readouterr().err.startswith("params.yaml: seed: 7 becomes 1, as the recipe says")
    main(["--refresh"])
    assert capsys.readouterr().err == ""


def test_refresh_without_params_takes_the_default(workspace: Path) -> None:
    main(["--refresh"])
    assert params()["recipe"] == "default"


def test_targets_of_any_modality(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    MODULES["other"] = MODULES.pop("toy")
    MODULES["toy"] = MODULES["other"]  # not the first one
    main(["default"])
    main(["--targets"])
    assert capsys.readouterr().out == "report@toy\n"


@pytest.mark.parametrize("named", ["5", "toy", "[5]", "{toy: 1}", "[]"])
def test_modalities_that_are_no_list_of_names_are_one_line(workspace: Path, named: str) -> None:
    Path("recipes/mine.yaml").write_text(f"modalities: {named}", "utf-8")
    with pytest.raises(SettingsError, match=r"^params\.yaml: modalities"):
        main(["mine"])
    Path("params.yaml").write_text(
        f"seed: 1\nmodalities: {named}\ntoy: {{corpora: [{{reader: synthetic}}]}}\n", "utf-8"
    )
    for arguments in (["--refresh"], ["--targets"]):
        with pytest.raises(SettingsError, match=r"^params\.yaml: modalities"):
            main(arguments)


def test_keys_of_any_kind_can_be_replaced(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("recipes/mine.yaml").write_text("toy: {text: {replace: {1: one, ß: ss}}}", "utf-8")
    main(["mine"])
    Path("recipes/mine.yaml").write_text("toy: {text: {replace: {1: uno, ß: ss}}}", "utf-8")
    main(["mine"])
    assert "toy.text.replace.1: 'one' becomes 'uno'" in capsys.readouterr().err


def test_targets(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["default"])
    main(["--targets"])
    assert capsys.readouterr().out == "report@toy\n"


def test_a_recipe_of_ones_own(workspace: Path) -> None:
    (workspace.parent / "night shift.yaml").write_text("toy: {training: {epochs: 50}}", "utf-8")
    main(["../night shift.yaml"])
    assert params()["recipe"] == "night shift"
    assert params()["toy"]["training"]["epochs"] == 50


def test_a_recipe_over_another(workspace: Path) -> None:
    Path("recipes/more.yaml").write_text("extends: mine\ntoy: {training: {learning_rate: 2e-3}}", "utf-8")
    main(["more"])
    tree = params()
    assert tree["toy"]["training"] == {"epochs": 7, "learning_rate": 2e-3}
    assert tree["toy"]["corpora"][0]["reader"] == "manifest"
    assert tree["recipe"] == "more" and "extends" not in tree
    Path("recipes/most.yaml").write_text("extends: more\ntoy: {training: {epochs: 3}}", "utf-8")
    main(["most"])
    assert params()["toy"]["training"] == {"epochs": 3, "learning_rate": 2e-3}
    Path("recipes/most.yaml").write_text("extends: none\n", "utf-8")
    with pytest.raises(GlyphoneError, match="recipe 'none'"):
        main(["most"])


def test_root_points_to_a_folder_or_a_table(workspace: Path, tmp_path: Path) -> None:
    write_corpus(tmp_path / "elsewhere", rows(3, 1))
    (tmp_path / "elsewhere" / "a.numbers").write_text("1 2", "utf-8")
    main(["own", "--root", "../elsewhere"])
    assert params()["toy"]["corpora"][0]["root"] == str(tmp_path / "elsewhere")
    main(["--refresh"])
    main(["own", "--root", str(tmp_path / "elsewhere" / "manifest.jsonl")])
    (entry,) = params()["toy"]["corpora"]
    assert (entry["reader"], entry["manifest"]) == ("manifest", "manifest.jsonl")
    # A table may be a link, as tools for large files have them: what it names lies beside the link.
    (tmp_path / "store").mkdir()
    (tmp_path / "elsewhere" / "manifest.jsonl").rename(tmp_path / "store" / "abc")
    (tmp_path / "elsewhere" / "manifest.jsonl").symlink_to(tmp_path / "store" / "abc")
    main(["own", "--root", "../elsewhere/manifest.jsonl"])
    (entry,) = params()["toy"]["corpora"]
    assert (entry["root"], entry["manifest"]) == (str(tmp_path / "elsewhere"), "manifest.jsonl")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nobody"], "recipe 'nobody': there are default, mine, own"),
        (["own"], "root: the folder of the corpus is needed: set it, or call with --root FOLDER (make: ROOT=FOLDER)"),
        (["own", "--root", "/no/such"], "--root /no/such: there is no such folder"),
        (["default", "--root", "corpus"], "it has none"),
    ],
)
def test_mistakes_are_one_line_and_leave_params_alone(workspace: Path, arguments: list[str], words: str) -> None:
    main(["mine"])
    before = Path("params.yaml").read_bytes()
    with pytest.raises(GlyphoneError) as error:
        main(arguments)
    assert words in str(error.value) and "\n" not in str(error.value)
    assert Path("params.yaml").read_bytes() == before


def test_a_run_to_compare_with_is_looked_for_before_any_work(workspace: Path) -> None:
    Path("recipes/mine.yaml").write_text("toy: {report: {compare_with: before}}", "utf-8")
    with pytest.raises(GlyphoneError, match=r"^toy.report.compare_with: before: no such file or folder$"):
        main(["mine"])
    assert not Path("params.yaml").exists()
    Path("before").mkdir()
    row = {"id": "a", "reference": "x", "hypothesis": "x"}
    Path("before/hypotheses.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    main(["mine"])


def test_outside_of_the_checkout_there_are_no_recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GlyphoneError, match=r"^recipes: no recipes there; call it from the folder of the checkout$"):
        main(["default"])


def test_what_has_no_effect_is_told_at_the_start(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("recipes/mine.yaml").write_text("toy: {evaluate: {gap_weight: 0.5}}", "utf-8")
    main(["mine"])
    told = "params.yaml: toy.evaluate.gap_weight 0.5: without effect, needs evaluate.voters"
    assert capsys.readouterr().err.splitlines() == [told]


def test_missing_folder_says_where_it_looked(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree("corpus")
    monkeypatch.setenv("GLYPHONE_DATA", "/somewhere")
    with pytest.raises(GlyphoneError, match=r"'corpus'.*/somewhere/corpus, \.\./shared/data/corpus.*GLYPHONE_DATA"):
        main(["mine"])


def test_a_corpus_that_was_moved_is_one_short_line(workspace: Path, tmp_path: Path) -> None:
    """The data variable, which says where relative roots lie, was advised of an absolute one."""
    write_corpus(tmp_path / "before", rows(3, 1))
    main(["mine", "--root", str(tmp_path / "before")])
    (tmp_path / "before").rename(tmp_path / "after")
    with pytest.raises(GlyphoneError, match=r"^toy\.corpora\.0\.root: no folder '.*before'; set it$"):
        main(["--refresh"])


def test_mistakes_of_all_modalities_come_at_once_and_before_folders_are_looked_for(workspace: Path) -> None:
    MODULES["other"] = MODULES["toy"]
    Path("recipes/mine.yaml").write_text(
        "modalities: [toy, other]\ntoy: {training: {epochs: many}, corpora: [{reader: folder, root: nowhere}]}\n"
        "other: {corpora: [{reader: nobody}], prepare: {max_rejected: 3}}\n"
    )
    with pytest.raises(SettingsError) as caught:
        main(["mine"])
    lines = str(caught.value).split("\n")
    assert len(lines) == len(set(lines)) == 3
    assert {line.split(": ")[1] for line in lines} == {
        "toy.training.epochs", "other.corpora.0.reader", "other.prepare.max_rejected",
    }  # fmt: skip


def test_wrong_settings_are_not_written(workspace: Path) -> None:
    Path("recipes/mine.yaml").write_text("toy: {training: {epochs: many}}", "utf-8")
    with pytest.raises(SettingsError, match="epochs"):
        main(["mine"])
    assert not Path("params.yaml").exists()


def test_data_folder_of_the_environment_comes_first(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_corpus(workspace.parent / "data" / "corpus", rows(5, 1))
    monkeypatch.setenv("GLYPHONE_DATA", str(workspace.parent / "data"))
    main(["mine"])
    assert params()["toy"]["corpora"][0]["listing"] == listing(workspace.parent / "data" / "corpus")


maps = st.recursive(
    st.integers() | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=10,
).filter(lambda tree: isinstance(tree, dict))


@settings(max_examples=60)
@given(maps, maps)
def test_merge(base: dict, override: dict) -> None:
    def leaves(tree: Any, key: tuple = ()) -> dict[tuple, Any]:
        if not isinstance(tree, dict):
            return {key: tree}
        return {where: leaf for name in tree for where, leaf in leaves(tree[name], (*key, name)).items()}

    merged = json.loads(json.dumps(base))
    merge(merged, override)
    assert leaves(override).items() <= leaves(merged).items()
    for key, value in leaves(merged).items():
        assert leaves(override).get(key, leaves(base).get(key)) == value
    again = json.loads(json.dumps(merged))
    merge(again, override)
    assert again == merged


def test_a_recipe_over_itself_is_refused(workspace: Path) -> None:
    (workspace / "recipes" / "round.yaml").write_text("extends: about\n")
    (workspace / "recipes" / "about.yaml").write_text("extends: round\n")
    with pytest.raises(GlyphoneError, match="extends: 'round': allowed: the name of another recipe"):
        recipe.compose("round")
