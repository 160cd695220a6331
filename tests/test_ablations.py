"""The runner of ablations: the table of variants, cells that are kept, Markdown."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import ablation_cells, ablations
from benchmarks.ablation_cells import cell_file, finished, read_samples, train_cell, write_cell
from benchmarks.ablation_table import HEAD, lay_in, rows_of, sentence, show
from benchmarks.ablation_variants import (
    AGAIN,
    BASE,
    MODALITIES,
    Variant,
    base_tree,
    chosen,
    fingerprint,
    of_modality,
    read_variants,
    refusal,
    tree_of,
)
from benchmarks.processes import Usage
from common.errors import GlyphoneError
from common.files import read_json, write_json

SEEDS = (1, 2, 3)


# The table of variants.


@pytest.mark.parametrize("modality", MODALITIES)
def test_variants_differ_from_the_base_and_can_be_trained_or_are_not_there_yet(modality: str) -> None:
    base = base_tree(modality)
    assert not refusal(base, modality)
    prints = {}
    for variant in of_modality(read_variants(), modality):
        tree = tree_of(variant, modality, base)
        reason = refusal(tree, modality)
        assert not reason or reason.startswith("not there yet"), (variant.name, reason)
        prints[variant.name] = fingerprint(tree, modality)
    assert len(prints) > 20
    assert prints.pop(AGAIN) == prints[BASE]
    assert len(set(prints.values())) == len(prints), "two variants are the same"


@pytest.mark.parametrize("modality", MODALITIES)
def test_bases_name_all_settings_of_the_default_recipe(modality: str) -> None:
    """So that a change of the default recipe leaves finished trainings valid."""
    default, own = base_tree(modality), ablations.base_recipe(modality)
    from pipelines.settings import load

    named = load(own)[modality]
    for section in ("text", "prepare", "slices", "extract", "augment", "network", "training"):
        assert named[section].keys() == default[modality][section].keys(), section


def test_unknown_settings_are_not_there_yet_and_impossible_ones_refused() -> None:
    base = base_tree("audio")
    later = Variant(name="later", about="", settings={"training.telepathy": 1, "network.magic": 2})
    assert refusal(tree_of(later, "audio", base), "audio") == (
        "not there yet: audio.network.magic, audio.training.telepathy"
    )
    wrong = Variant(name="wrong", about="", settings={"network.dropout": 2.0})
    assert refusal(tree_of(wrong, "audio", base), "audio").startswith("refused: audio.network.dropout: 2.0: ")


def test_a_variant_leaves_the_base_as_it_is() -> None:
    base = base_tree("audio")
    before = fingerprint(base, "audio")
    variant = Variant(name="x", about="", audio={"network.dropout": 0.9})
    assert tree_of(variant, "audio", base)["audio"]["network"]["dropout"] == 0.9
    assert base["audio"]["network"]["dropout"] != 0.9
    assert fingerprint(base, "audio") == before
    assert variant.differs("ocr") == {}
    assert [each.name for each in of_modality([Variant(name=BASE, about=""), variant], "ocr")] == [BASE]


def test_fingerprint_sees_what_decides_weights_alone() -> None:
    base = base_tree("ocr")
    before = fingerprint(base, "ocr")
    base["seed"], base["ocr"]["corpora"][0]["listing"], base["ocr"]["report"] = 5, "digest", {"num_worst": 1}
    assert fingerprint(base, "ocr") == before
    for section in ("slices", "augment", "network", "training", "prepare"):
        other = base_tree("ocr")
        other["ocr"][section]["something"] = 1
        assert fingerprint(other, "ocr") != before


def test_mistakes_in_the_table_are_all_named(tmp_path: Path) -> None:
    table = tmp_path / "table.yaml"
    table.write_text("variants:\n- {name: a, about: x}\n- {name: a, about: y}\n- {name: b}\n- {name: B c, about: z}\n")
    with pytest.raises(GlyphoneError) as caught:
        read_variants(table)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert "variants.2.about" in lines[0] and "variants.3.name" in lines[1] and "'a' stands twice" in lines[2]


def test_chosen_variants_keep_the_base_and_the_order() -> None:
    variants = [Variant(name=name, about="") for name in (BASE, "b", "c", "d")]
    assert [each.name for each in chosen(variants, ["d", "b"])] == [BASE, "b", "d"]
    assert [each.name for each in chosen(variants, [])] == [BASE, "b", "c", "d"]
    with pytest.raises(GlyphoneError, match="variant x: there are base, b, c, d"):
        chosen(variants, ["x"])


# Cells, the runner and the table.

SAMPLES = {"ids": ["a", "b", "c"], "groups": ["g", "g", "h"], "words": [2, 3, 4], "characters": [10, 12, 14]}


def write(cells: Path, name: str, seed: int, tree: dict[str, Any], errors: list[int], processor: str = "one") -> None:
    cell = {
        "host": {"processor": processor},
        **{"variant": name, "modality": "audio", "seed": seed, "fingerprint": fingerprint(tree, "audio")},
        **{"word_errors": errors, "character_errors": errors, "cpu_seconds": 10.0 * seed, "commit": "abc"},
        "training": {"seconds": 20.0, "num_parameters": 1_500_000},
    }
    write_cell(cell_file("audio", name, seed, cells), cell, SAMPLES)


def test_a_cell_counts_until_its_settings_change(tmp_path: Path) -> None:
    tree = base_tree("audio")
    file = cell_file("audio", BASE, 1, tmp_path)
    assert finished(file, tree, "audio") is None
    write(tmp_path, BASE, 1, tree, [0, 1, 2])
    cell = finished(file, tree, "audio")
    assert cell is not None and cell["word_errors"] == [0, 1, 2]
    assert read_samples(file, cell) == SAMPLES
    tree["audio"]["training"]["epochs"] += 1
    assert finished(file, tree, "audio") is None


def test_table_of_finished_and_missing_variants(tmp_path: Path) -> None:
    base = base_tree("audio")
    variants = [
        Variant(name=BASE, about="the base"),
        Variant(name="good", about="a good one", source="Someone 2020", settings={"network.dropout": 0.3}),
        Variant(name="lonely", about="one seed", settings={"network.dropout": 0.4}),
        Variant(name="later", about="unknown", settings={"network.magic": 1}),
        Variant(name="waiting", about="not trained", settings={"network.dropout": 0.5}),
    ]
    for seed in SEEDS:
        write(tmp_path, BASE, seed, base, [2, 3, 4])
        write(tmp_path, "good", seed, tree_of(variants[1], "audio", base), [0, 1, 1])
    write(tmp_path, "lonely", 1, tree_of(variants[2], "audio", base), [2, 3, 4])
    rows = rows_of("audio", variants, tmp_path)
    assert [row.verdict for row in rows] == ["", "helps", "too few seeds", "", ""]
    assert rows[1].characters is not None and rows[1].characters.mean == pytest.approx(2 / 36)
    assert rows[2].time == pytest.approx(0.5)
    assert [row.note for row in rows[3:]] == ["not there yet: audio.network.magic", "not run yet"]
    assert ablations.ratio(rows) == pytest.approx(2 / 9)
    lines = show(rows).splitlines()
    assert all(line.count("|") == len(HEAD) + 1 for line in lines[:5])
    assert lines[5:] == ["", "Not there yet: `later` (audio.network.magic).", "", "Not run yet: `waiting`."]
    assert "`good`: a good one (Someone 2020)" in lines[3] and lines[3].endswith("| 1.00 | 1.50 M | 1, 2, 3 | helps |")
    assert sentence(rows).startswith("Helped: `good`. Made no difference: none. Hurt: none. Trained: 3 of 5 rows.")
    assert rows[1].record()["characters"]["interval"][1] < 0


def test_the_base_trained_again_counts_as_more_seeds_of_it_and_times_its_own_processor(tmp_path: Path) -> None:
    base = base_tree("audio")
    variants = [
        Variant(name=BASE, about="the base"),
        Variant(name=AGAIN, about="on processor two", settings={"network.cell": "lstm"}),
        Variant(name="same", about="as many errors as again", settings={"network.dropout": 0.3}),
        Variant(name="lost", about="on a processor without the base", settings={"network.dropout": 0.4}),
    ]
    # Seed 1 again on the base's processor is the same training, which counts once.
    processors = dict(zip(SEEDS, ("one", "two", "two"), strict=True))
    for seed, processor in processors.items():
        write(tmp_path, BASE, seed, base, [0, 1, 1])
        write(tmp_path, AGAIN, seed, base, [2, 3, 4] if seed > 1 else [0, 1, 1], processor)
        write(tmp_path, "same", seed, tree_of(variants[2], "audio", base), [2, 3, 4], processor)
        write(tmp_path, "lost", seed, tree_of(variants[3], "audio", base), [2, 3, 4], "three")
    rows = rows_of("audio", variants, tmp_path)
    values = [36 * row.characters.difference.value for row in rows[1:]]
    assert values == pytest.approx([20 / 3 - 2, *[9 - (3 * 2 + 2 * 9) / 5] * 2])
    assert [row.time for row in rows] == [
        pytest.approx(1),
        *[pytest.approx((10 / 20 + 20 / 25 + 30 / 25) / 3)] * 2,
        None,
    ]


def test_lay_in_replaces_what_is_between_its_markers_alone() -> None:
    page = "before\n<!-- ablations audio -->\nold\n<!-- end of ablations audio -->\nafter\n"
    once = lay_in(page, {"audio": "new\ntable"})
    assert once == "before\n<!-- ablations audio -->\nnew\ntable\n<!-- end of ablations audio -->\nafter\n"
    assert lay_in(once, {"audio": "new\ntable"}) == once
    with pytest.raises(GlyphoneError, match="markers"):
        lay_in(page, {"ocr": "x"})


def test_page_of_records_takes_both_tables(repository: Path) -> None:
    page = (repository / "docs" / "records.md").read_text(encoding="utf-8")
    assert lay_in(page, dict.fromkeys(MODALITIES, "x")).count("\nx\n") == 2


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, str, int]]:
    """The runner without its trainings, which write their cell at once: (modality, variant, seed) of each."""
    trained: list[tuple[str, str, int]] = []

    def fill(variant: Variant, modality: str, seed: int, cells: Path) -> None:
        trained.append((modality, variant.name, seed))
        write(cells, variant.name, seed, tree_of(variant, modality, base_tree(modality)), [1, 1, 1])

    monkeypatch.setattr(ablations, "fill", fill)
    return trained


def test_a_finished_training_is_never_done_again(calls: list[tuple[str, str, int]], tmp_path: Path) -> None:
    arguments = ["--modality", "audio", "--only", "dropout_0", "--seeds", "1", "2"]
    result = ablations.run(arguments, tmp_path)
    assert calls == [("audio", name, seed) for name in (BASE, "dropout_0") for seed in (1, 2)]
    assert result.value == 1 and result.detail["seeds"] == [1, 2]
    cell_file("audio", "dropout_0", 2, tmp_path).unlink()
    ablations.run(arguments, tmp_path)
    assert calls[4:] == [("audio", "dropout_0", 2)]


def test_no_training_starts_when_the_minutes_are_over(
    calls: list[tuple[str, str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 0.0, 59.0, 61.0])
    monkeypatch.setattr(ablations.time, "monotonic", lambda: next(clock))
    ablations.run(["--modality", "audio", "--minutes", "1"], tmp_path)
    assert [seed for _, _, seed in calls] == [1, 2]


def test_a_cell_runs_no_stage_that_reads_the_test_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.settings import load

    seen: list[tuple[list[str], int]] = []

    def watch(command: list[str], folder: Path, environment: Any) -> Usage:
        seen.append((command[1:], load(folder / "params.yaml")["seed"]))
        return Usage(30.0, 25.0, 0, "")

    monkeypatch.setattr(ablation_cells, "watch", watch)
    monkeypatch.setattr(ablation_cells, "validation_errors", lambda *_: (SAMPLES, {"word_errors": [1, 0, 0]}))
    training = {"seconds": 20.0, "epochs": 2, "best_epoch": 1, "num_parameters": 7, "precision": "float32"}
    write_json(tmp_path / "results" / "audio" / "training.json", training)
    variant = Variant(name="x", about="", settings={"network.dropout": 0.3})
    cell, samples = train_cell(tmp_path, variant, "audio", 3, tree_of(variant, "audio", base_tree("audio")))
    # One split of the data for all seeds, and the seed for the training.
    assert seen == [
        (["-m", "dvc", "repro", "-q", "extract@audio"], ablation_cells.DATA_SEED),
        (["-m", "pipelines.train", "audio"], 3),
    ]
    assert load(tmp_path / "params.yaml")["audio"]["network"]["dropout"] == 0.3
    assert cell["cpu_seconds"] == 25.0 and cell["word_errors"] == [1, 0, 0] and samples is SAMPLES
    file = cell_file("audio", "x", 3, tmp_path / "cells")
    write_cell(file, cell, samples)
    assert read_json(file)["settings"] == {"network.dropout": 0.3}
    # A training that was gone on with: the processor time of its last part alone says nothing.
    write_json(tmp_path / "results" / "audio" / "training.json", {**training, "seconds": 31.0})
    assert train_cell(tmp_path, variant, "audio", 3, base_tree("audio"))[0]["cpu_seconds"] is None


def test_errors_on_validation_samples_are_those_that_training_counts(tmp_path: Path) -> None:
    # Here, since these bring torch.
    import torch

    from common.alphabet import Alphabet
    from common.bundle import write_bundle
    from common.network import Network, NetworkSettings
    from common.store import Store, StoreWriter
    from common.training.validation import validate

    random, alphabet, num_features = np.random.default_rng(0), Alphabet(" ab"), 5
    torch.manual_seed(0)
    chosen_network = NetworkSettings.model_validate(
        {"convolutions": [{"channels": 4}], "num_layers": 1, "num_hidden": 8, "dropout": 0.0}
    )
    network = Network(chosen_network, num_features, len(alphabet)).eval()
    common = {"modality": "audio", "num_features": num_features, "step": 0.01, "unit": "s"}
    description = {"alphabet": list(" ab"), "slice_settings": {}, "text_settings": {}, "summary": {}}
    model = tmp_path / "models" / "audio"
    write_bundle(model, network.state_dict(), chosen_network, common | description, "# Random\n")
    path = tmp_path / "data" / "audio" / "slices" / "validation.arrow"
    path.parent.mkdir(parents=True)
    texts = ["ab a", "b", "aa bb ab"]
    with StoreWriter(path, **common, settings={}, samples_digest="x") as writer:
        for number, text in enumerate(texts):
            slices = random.standard_normal((20 + 7 * number, num_features)).astype(np.float32)
            writer.add(f"s{number}", f"g{number % 2}", text, slices, ("audio/ogg", b""))
    samples, errors = ablation_cells.validation_errors(tmp_path, "audio")
    store = Store(path)
    expected = validate(network, [store.slices(row) for row in range(3)], store.texts, alphabet)
    assert samples["words"] == [2, 1, 3] and samples["characters"] == [4, 1, 8]
    assert samples["groups"] == ["g0", "g1", "g0"]
    assert sum(errors["word_errors"]) / 6 == pytest.approx(expected.word_error_rate)
    assert sum(errors["character_errors"]) / 13 == pytest.approx(expected.character_error_rate)
    assert sum(errors["character_errors"]) > 0
