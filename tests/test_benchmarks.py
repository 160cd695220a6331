"""The benchmark runner: listing, the JSON line, workspaces that follow the tree, seconds that survive a kill."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import cells, learning_curve, training_vs_cudnn
from benchmarks.__main__ import benchmarks
from benchmarks.processes import watch
from benchmarks.recipes import override
from benchmarks.result import Result, line
from benchmarks.workspace import commit, copy_tree, data_folder, environment, is_product, tracked_files
from common.errors import GlyphoneError

NAMES = {
    "default_audio_wer",
    "default_ocr_accuracy",
    "an4_wer_greedy",
    "an4_wer",
    "an4_word_model",
    "fsdd_official_accuracy",
    "fsdd_wer",
    "fsdd_wer_adapted",
    "iiit5k_accuracy",
    "iiit5k_accuracy_language",
    "fraktur_cer",
    "noop_repro",
    "prepare_extract_10k",
    "repro_minutes",
    "cells",
    "cells_small",
    "ablations",
    "seeds",
    "cell_speed",
    "training_vs_packed",
    "training_vs_cudnn",
    "training_roofline",
    "training_overheads",
    "training_objectives",
    "training_vs_kraken",
    "transcription_vs_kraken",
    "fraktur_vs_kraken",
    "uw3_vs_kraken",
    "arabic_vs_kraken",
    "fraktur_vs_calamari",
    "uw3_vs_calamari",
    "kill_resume",
    "learning_curve",
    "stream_speed",
    "padding_invariance",
    "beam100_vs_fast_ctc_decode",
    "beam100_v100_vs_fast_ctc_decode",
    "beam100_flat_vs_fast_ctc_decode",
    "beam100_real_vs_fast_ctc_decode",
    "beam16_vs_fast_ctc_decode",
    "lm_vs_pyctcdecode",
    "lm_vs_flashlight",
    "lm_v100_vs_pyctcdecode",
    "lm_v100_vs_flashlight",
    "beam_two_threads",
    "beam_first_call",
    "beam_search_error",
}


def command(*arguments: str, repository: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments], cwd=repository, capture_output=True, text=True, check=False
    )


def test_corpora_are_looked_for_as_stages_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = tmp_path / "glyphone"
    repository.mkdir()
    monkeypatch.delenv("GLYPHONE_DATA", raising=False)
    assert data_folder(repository) == repository / "corpora"  # where --download puts them
    (tmp_path / "shared" / "data").mkdir(parents=True)
    assert data_folder(repository) == tmp_path / "shared" / "data"
    monkeypatch.setenv("GLYPHONE_DATA", "mine")
    assert data_folder(repository) == repository / "mine"


def test_list_has_a_sentence_each(repository: Path) -> None:
    done = command(repository=repository)
    assert done.returncode == 0
    listed = dict(row.split(maxsplit=1) for row in done.stdout.splitlines())
    assert listed.keys() >= NAMES
    assert all(sentence.endswith(".") and len(sentence.split()) > 3 for sentence in listed.values())


def test_unknown_name_is_one_line_and_exit_code_2(repository: Path) -> None:
    done = command("no_such_thing", repository=repository)
    assert done.returncode == 2
    assert done.stderr.startswith("error: benchmark 'no_such_thing': there are ")
    assert done.stderr.count("\n") == 1


def test_support_modules_are_no_benchmarks() -> None:
    assert not benchmarks().keys() & {
        *(
            "recipes",
            "record",
            "workspace",
            "processes",
            "result",
            "__main__",
            "peers",
            "synthetic_emissions",
            "fast_ctc_decode",
        ),
        *("default_networks", "training_step", "packed_network", "training_flop"),
        *("line_race", "kraken_race", "calamari_race"),
        *("ablation_cells", "ablation_statistics", "ablation_table", "ablation_variants"),
    }


@given(st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.dictionaries(st.text(), st.integers()))
@settings(max_examples=20)
def test_line_is_one_json_object_with_all_keys(value: float, higher: bool, detail: dict[str, int]) -> None:
    text = line("name", Result(value, "s", higher, detail))
    assert "\n" not in text
    row = json.loads(text)
    assert row.keys() == {"name", "value", "unit", "higher_is_better", "detail", "versions", "host"}
    assert (row["value"], row["higher_is_better"], row["detail"]) == (value, higher, detail)
    assert {"python", "torch"} <= row["versions"].keys()
    assert {"processor", "cores", "memory_gib", "system"} == row["host"].keys()


@pytest.fixture
def small_repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    for name, text in {
        "a.py": "1",
        "sub/b.py": "2",
        "results/m/metrics.json": "{}",
        ".gitignore": "ignored/\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    commit(folder)
    (folder / "untracked.txt").write_text("3")
    (folder / "ignored").mkdir()
    (folder / "ignored" / "c.py").write_text("4")
    return folder


def test_workspace_follows_the_tree_and_keeps_products(small_repository: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    copy_tree(target, small_repository)
    assert {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()} == {
        "a.py",
        "sub/b.py",
        ".gitignore",
        "untracked.txt",
    }
    for product in ("data/x", "models/m/w", ".state/s", ".dvc/cache/f", "results/m/metrics.json", "dvc.lock"):
        (target / product).parent.mkdir(parents=True, exist_ok=True)
        (target / product).write_text("made here")
    (small_repository / "a.py").write_text("changed")
    (small_repository / "sub" / "b.py").unlink()
    unchanged = (target / "untracked.txt").stat().st_mtime_ns
    copy_tree(target, small_repository)
    assert (target / "a.py").read_text() == "changed"
    assert not (target / "sub" / "b.py").exists()
    assert (target / "untracked.txt").stat().st_mtime_ns == unchanged
    assert (target / "results/m/metrics.json").read_text() == "made here"
    assert (target / ".dvc/cache/f").is_file()


def test_whole_copy_has_what_a_clone_has(small_repository: Path, tmp_path: Path) -> None:
    copy_tree(tmp_path / "clone", small_repository, products=())
    assert (tmp_path / "clone/results/m/metrics.json").is_file()
    assert not (tmp_path / "clone/ignored").exists()


def test_tracked_files_are_those_of_git(repository: Path) -> None:
    files = {path.as_posix() for path in tracked_files(repository)}
    assert {"Makefile", "benchmarks/workspace.py"} <= files
    assert not any(name.startswith((".venv/", ".work/", ".git/")) for name in files)


def test_products_are_whole_path_components() -> None:
    assert is_product(Path("data/audio/x"))
    assert is_product(Path("results"))
    assert not is_product(Path("database.py"))
    assert not is_product(Path("common/data"))


def test_environment_drops_git_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    variables = environment()
    assert "GIT_DIR" not in variables
    assert variables["PATH"].split(":")[0] == str(Path(sys.executable).parent)


def test_override_sets_nested_keys_and_list_entries(tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    params.write_text("seed: 1\naudio:\n  corpora:\n    - {reader: fsdd, root: x}\n")
    override(params, {"seed": 2, "audio.corpora.0.root": "y", "audio.corpora.0.test_speakers": ["lucas"]})
    from pipelines.settings import load

    assert load(params) == {
        "seed": 2,
        "audio": {"corpora": [{"reader": "fsdd", "root": "y", "test_speakers": ["lucas"]}]},
    }
    with pytest.raises(GlyphoneError, match=r"no key 'audio\.nothing\.root'"):
        override(params, {"audio.nothing.root": 1})


@pytest.mark.parametrize("sample_seconds", [0.0, 0.1])
def test_watch_measures_memory_of_children_and_keeps_output(tmp_path: Path, sample_seconds: float) -> None:
    child = "import time; block = bytearray(120_000_000); time.sleep(1); print('held', len(block))"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    usage = watch([sys.executable, "-c", parent], tmp_path, environment(), sample_seconds)
    assert usage.output == "held 120000000\n"
    assert usage.peak_memory_bytes == 0 if not sample_seconds else 120_000_000 < usage.peak_memory_bytes < 400_000_000
    assert usage.seconds >= 1
    assert 0 < usage.cpu_seconds < usage.seconds * 2


def test_watch_names_a_command_that_fails(tmp_path: Path) -> None:
    with pytest.raises(GlyphoneError, match="exit code 3"):
        watch([sys.executable, "-c", "raise SystemExit(3)"], tmp_path, environment())


def test_table_of_cells(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert cells.ratio({"lstm": 0.2, "gru": 0.3}) == 1
    assert cells.ratio({"lstm": 0.2, "gru": 0.1}) == 0.5
    assert cells.ratio({"lstm": 0.0, "gru": 0.1}) == 1
    monkeypatch.setenv("GLYPHONE_CELLS", "cifg,gru")
    assert cells.chosen() == ("lstm", "cifg", "gru")
    monkeypatch.setenv("GLYPHONE_CELLS", "cifg,gruu")
    with pytest.raises(GlyphoneError, match="gruu; there are rnn"):
        cells.chosen()
    cells.show("audio", {"lstm": dict.fromkeys(cells.COLUMNS, 0.25)})
    title, row = capsys.readouterr().err.strip().splitlines()
    assert title.split()[0] == "audio" and row.split() == ["lstm", *["0.2500"] * len(cells.COLUMNS)]


@given(st.dictionaries(st.from_regex(r"[a-z]+(\.[a-z_]+)+", fullmatch=True), st.integers() | st.booleans()))
def test_settings_to_try_are_read_as_yaml(wanted: dict[str, int | bool]) -> None:
    from benchmarks.default_networks import asked_overrides

    pairs = [f"{key}={str(value).lower()}" for key, value in wanted.items()]
    found = asked_overrides("training_roofline", ["--set", *pairs] if pairs else [], "About.")
    assert found == wanted
    assert all(isinstance(found[key], type(value)) for key, value in wanted.items())


def test_a_setting_to_try_without_a_value_is_one_line() -> None:
    from benchmarks.default_networks import asked_overrides

    with pytest.raises(GlyphoneError, match=r"--set: 'audio\.seed': allowed are key=value"):
        asked_overrides("training_roofline", ["--set", "audio.seed"], "About.")


def test_operations_of_a_training_step_by_hand() -> None:
    import torch

    from benchmarks.training_flop import training_flop
    from common.network import ConvolutionSettings, Network, NetworkSettings
    from common.training.batches import Batch

    block = ConvolutionSettings(channels=4, stride=(2, 2), pool=(1, 2))
    network = Network(NetworkSettings(convolutions=(block,), num_layers=1, num_hidden=5), num_features=8, num_labels=7)
    whole = torch.zeros(2)
    batch = Batch([0, 1], torch.zeros(2, 9, 8), whole, whole, whole)
    # 9 x 8 slices -> 5 x 4 places -> 5 x 2; the first convolution has no gradient of its input.
    convolution, lstm, head = 2 * 5 * 4 * (9 * 4), 2 * 5 * 2 * (4 * 5 * (8 + 5)), 2 * 5 * (10 * 7)
    assert training_flop(network, batch) == 2 * (2 * convolution + 3 * lstm + 3 * head)


def test_packed_network_is_the_same_network() -> None:
    import torch

    from benchmarks.packed_network import packed
    from common.network import ConvolutionSettings, Network, NetworkSettings

    torch.manual_seed(0)
    settings_ = NetworkSettings(
        convolutions=(ConvolutionSettings(channels=4),), num_layers=2, num_hidden=5, dropout=0.0
    )
    network = Network(settings_, num_features=6, num_labels=7)
    x, lengths = torch.randn(3, 9, 6), torch.tensor([9, 4, 7])
    ours = network(x, lengths)[0].detach()
    theirs = packed(network, plain_front_end=False)(x, lengths)[0].detach()
    for row, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(ours[row, :length], theirs[row, :length], rtol=1e-4, atol=1e-5)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)), max_size=8))
def test_what_spans_cover_is_counted_once(pairs: list[tuple[int, int]]) -> None:
    spans = [(start, start + length) for start, length in pairs]
    assert training_vs_cudnn.union(spans) == len({place for start, stop in spans for place in range(start, stop)})


def test_whole_steps_are_compared_on_the_device_that_is_asked_for(tmp_path: Path) -> None:
    """On a CPU here, where it says nothing: no GPU is busy. The command itself asks for one."""
    import torch

    from benchmarks.default_networks import Default
    from common.alphabet import Alphabet
    from common.network_settings import NetworkSettings
    from common.store import Store
    from common.training.settings import TrainingSettings
    from tests.test_evaluate import write_stores

    write_stores(tmp_path)
    store = Store(next(tmp_path.rglob("train.arrow")))
    chosen = TrainingSettings(batch_slices=60)
    subject = Default(store, Alphabet.of_texts(store.texts), NetworkSettings(num_layers=1, num_hidden=4), chosen)
    found = training_vs_cudnn.compare(training_vs_cudnn.larger(subject, 2), torch.device("cpu"))
    assert found["ratio"]["least"] > 0 and found["busy"] == 0 and found["beside"].startswith("packed in ")
    if not torch.cuda.is_available():
        with pytest.raises(GlyphoneError, match="torch sees no GPU here"):
            training_vs_cudnn.run()


def test_arguments_go_to_a_benchmark_that_takes_some(repository: Path) -> None:
    done = command("ablations", "--only", "no_such_variant", repository=repository)
    assert done.returncode == 2
    assert done.stderr.startswith("error: variant no_such_variant: there are base, ")
    done = command("noop_repro", "--fast", repository=repository)
    assert done.returncode == 2
    assert done.stderr == "error: benchmark noop_repro takes no arguments: --fast\n"


@given(
    epoch=st.floats(0, 60),
    sample=st.floats(1e-3, 1),
    few=st.integers(1, 200),
    more=st.integers(1, 800),
    samples=st.integers(1, 5000),
)
def test_every_training_of_a_learning_curve_has_its_minutes(
    epoch: float, sample: float, few: int, more: int, samples: int
) -> None:
    """Two exact measurements give the epochs that fit: no more than the minutes, unless one alone is longer."""
    many = few + more
    pace = learning_curve.Pace.of((few, epoch + sample * few), (many, epoch + sample * many))
    epochs = pace.epochs(samples, 10.0)
    assert 1 <= epochs <= learning_curve.MOST_EPOCHS
    assert epochs == 1 or epochs * (epoch + sample * samples) <= 600 * (1 + 1e-6)
    assert epochs == learning_curve.MOST_EPOCHS or (epochs + 1) * (epoch + sample * samples) > 600 * (1 - 1e-6)


@pytest.mark.parametrize(
    ("few", "many"),
    [((125, 9.0), (500, 8.0)), ((125, 1.0), (500, 10.0)), ((100, 5.0), (100, 10.0))],
    ids=["the longer one was faster", "a first epoch below nothing", "no more samples"],
)
def test_a_noisy_measurement_counts_all_time_as_that_of_samples(
    few: tuple[int, float], many: tuple[int, float]
) -> None:
    assert learning_curve.Pace.of(few, many) == learning_curve.Pace(0.0, many[1] / many[0])


def test_settings_of_a_learning_curve_are_read_and_mistakes_named() -> None:
    assert learning_curve.numbers_of("125,0") == (125, 0) and learning_curve.numbers_of("") == learning_curve.SAMPLES
    found = learning_curve.settings_of("pretraining.stream.samples=20,network.dropout=0.5,text.case=lower")
    assert found == {"pretraining.stream.samples": 20, "network.dropout": 0.5, "text.case": "lower"}
    for function, text in ((learning_curve.numbers_of, "many"), (learning_curve.settings_of, "epochs")):
        with pytest.raises(GlyphoneError, match=f"'{text}': allowed are"):
            function(text)


def test_the_value_of_a_learning_curve_is_of_the_smallest_number(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {0: (0.10, 0.10), 125: (0.50, 0.25)}

    def curve(folder: object, recipe: str, numbers: tuple[int, ...], *_: object) -> list[dict[str, Any]]:
        keys = ("samples", "epochs", "fresh_cer", "pretrained_cer")
        return [dict(zip(keys, (number or 900, 1, *rates[number]), strict=True)) for number in numbers]

    monkeypatch.setenv("GLYPHONE_CURVE", "an4")
    monkeypatch.setenv("GLYPHONE_CURVE_SAMPLES", "0,125")
    monkeypatch.setattr(learning_curve, "workspace", lambda name: None)
    monkeypatch.setattr(learning_curve, "curve", curve)
    assert learning_curve.run().value == 0.5
