"""Bad input as a user meets it: the commands as processes, their exit codes, what they say and what they write.

What single functions do with such input is in the tests of their rooms; here it is that nothing is lost on the way.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from common.bundle import write_bundle
from common.files import read_jsonl
from common.network import Network, NetworkSettings
from common.samples import SPLITS
from common.store import Store
from pipelines.modalities import modality
from tests.bad_files import ODD
from tests.toy.workspace import manifest, rows, write_corpus, write_params

ROOT = Path(__file__).parent.parent
MODALITIES = ("audio", "ocr")
NUM_GOOD = 4  # a split


def call(folder: Path, module: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A command as a user calls it; none may end in a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "GLYPHONE_QUIET": "1", "OMP_NUM_THREADS": "1", "GLYPHONE_DATA": ""},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def toy(folder: Path, stage: str) -> subprocess.CompletedProcess[str]:
    return call(folder, "tests.toy.command", stage, "toy")


def by_id(path: Path) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in read_jsonl(path)}


def codes(path: Path) -> dict[str, str]:
    return {sample_id: row["code"] for sample_id, row in by_id(path).items()}


# Sounds and pictures through prepare and extract.


class Corpus:
    """A folder of good and odd files of one modality, and what is to become of them: id → reason ("" for none)."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        odd, good, suffix = ODD[name]
        (folder / "corpus").mkdir(parents=True)
        (folder / f"secret{suffix}").write_bytes(good(99))
        lines = []

        def add(sample_id: str, file: str, split: str, text: str = "ab cd") -> None:
            lines.append((sample_id, file, text, f"{split} {sample_id}", split))

        for number, split in enumerate(SPLITS * NUM_GOOD):
            (folder / "corpus" / f"good{number}{suffix}").write_bytes(good(number))
            add(f"good{number}", f"good{number}{suffix}", split)
        self.reasons: dict[str, str] = {}
        for file, (data, code) in odd().items():
            (folder / "corpus" / file).write_bytes(data)
            # A third of them in each split: whatever is odd, a test sample always counts.
            split = SPLITS[len(self.reasons) % 3]
            add(file, file, split)
            self.reasons[file] = code
        add("no text", f"good0{suffix}", "train", " \u00a0 ")
        add("missing", f"nowhere{suffix}", "train")
        add("climbs", f"../secret{suffix}", "train")
        add("climbs in test", f"a/../../secret{suffix}", "test")
        add("absolute", str(folder / f"secret{suffix}"), "validation")
        add("good0", f"good1{suffix}", "train")  # the second of this id
        self.reasons |= {"no text": "empty_text", "missing": "missing_file", "good0": "duplicate_id"}
        self.reasons |= dict.fromkeys(("climbs", "climbs in test", "absolute"), "outside_corpus")
        for split in ("train", "test"):
            (folder / "corpus" / f"short {split}{suffix}").write_bytes(good(300 + len(split)))
            add(f"too long for its file in {split}", f"short {split}{suffix}", split, "a" * 300)
        (folder / "corpus" / f"foreign{suffix}").write_bytes(good(310))
        add("foreign", f"foreign{suffix}", "test", "ab ñ")
        self.ids = {line[0] for line in lines}
        self.splits = {line[0]: line[4] for line in reversed(lines)}
        # As a spreadsheet program on Windows saves it.
        table = "\r\n".join("\t".join(line) for line in [("id", "path", "text", "group", "split"), *lines])
        (folder / "corpus" / "manifest.tsv").write_bytes(b"\xef\xbb\xbf" + table.encode() + b"\r\n")
        section = {"corpora": [{"reader": "manifest", "root": "corpus"}], "prepare": {"max_rejected": 1.0}}
        tree = {"seed": 1, "modalities": [name], name: section | {"extract": {"max_rejected": 1.0}}}
        (folder / "params.yaml").write_text(json.dumps(tree), "utf-8")

    @property
    def data(self) -> Path:
        return self.folder / "data" / self.name

    def rejected(self, stage: str) -> Path:
        return self.data / ("" if stage == "prepare" else "slices") / "rejected.jsonl"


@pytest.fixture(scope="module", params=MODALITIES)
def corpus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """After prepare and extract."""
    made = Corpus(tmp_path_factory.mktemp("bad") / request.param, request.param)
    for stage in ("prepare", "extract"):
        done = call(made.folder, f"pipelines.{stage}", request.param, "--num-workers", "1")
        assert (done.returncode, done.stdout) == (0, "")
        *warned, told = done.stderr.splitlines()
        assert [line.startswith(f"{request.param}: warnings: ") for line in warned] == [True] * (stage == "prepare")
        assert re.match(rf"{len(by_id(made.rejected(stage)))} of \d+ samples rejected \(.*%\): ", told), told
    return made


def test_every_bad_file_is_rejected_for_its_reason(corpus: Corpus) -> None:
    found = by_id(corpus.data / "rejected.jsonl")
    assert {sample_id: row["code"] for sample_id, row in found.items()} == {
        sample_id: code for sample_id, code in corpus.reasons.items() if code
    }
    for sample_id, row in found.items():
        assert row["stage"] == "prepare" and row["split"] == corpus.splits[sample_id]
        assert "\n" not in row["sentence"] and len(row["sentence"]) > 10


def test_no_sample_is_lost(corpus: Corpus) -> None:
    samples = set(by_id(corpus.data / "samples.jsonl"))
    assert samples | set(codes(corpus.data / "rejected.jsonl")) == corpus.ids
    in_stores = {split: Store(corpus.data / "slices" / f"{split}.arrow").ids for split in SPLITS}
    num_rows = sum(map(len, in_stores.values()))
    extracted = {sample_id for ids in in_stores.values() for sample_id in ids}
    assert len(extracted) == num_rows
    assert extracted | set(codes(corpus.data / "slices" / "rejected.jsonl")) == samples
    # Test samples all have a row, but the one without a transcript to hold the output against.
    test = {sample_id for sample_id in corpus.ids if corpus.splits[sample_id] == "test"}
    assert set(in_stores["test"]) == test


def test_a_test_sample_that_cannot_be_read_has_no_slices(corpus: Corpus) -> None:
    store = Store(corpus.data / "slices" / "test.arrow")
    without = {sample_id for sample_id, length in zip(store.ids, store.lengths, strict=True) if not length}
    assert without == {each for each in store.ids if corpus.reasons.get(each)}
    assert len(without) > 2
    assert {store.texts[store.ids.index(each)] for each in without} == {"ab cd"}


def test_a_transcript_too_long_for_its_file_is_rejected_at_extract(corpus: Corpus) -> None:
    found = by_id(corpus.data / "slices" / "rejected.jsonl")
    row = found["too long for its file in train"]
    assert (row["code"], row["stage"], row["split"]) == ("too_few_slices", "extract", "train")
    assert "the transcript needs 599" in row["sentence"]
    assert "too long for its file in test" not in found  # for scoring it is as good as any


def test_what_is_odd_but_fine_is_kept_and_told(corpus: Corpus) -> None:
    findings = {row["code"]: row for row in json.loads((corpus.data / "findings.json").read_text("utf-8"))}
    expected = {"audio": ("silence", "silent.wav"), "ocr": ("tiny", "1x1.png")}
    code, sample_id = expected[corpus.name]
    assert findings[code]["ids"] == [sample_id]
    assert findings["unseen_character_test"]["ids"] == ["foreign"]
    assert "ñ" in findings["unseen_character_test"]["sentence"]
    texts = {row["id"]: row["text"] for row in read_jsonl(corpus.data / "samples.jsonl")}
    assert texts["foreign"] == "ab ñ"
    assert not any("\ufeff" in text or "\r" in text for text in texts.values())


def random_model(folder: Path, name: str) -> Path:
    """A model folder of a modality, with random weights."""
    kind = modality(name)
    settings = NetworkSettings.model_validate({"convolutions": [{"channels": 4}], "num_layers": 1, "num_hidden": 8})
    chosen = kind.SliceSettings()
    num_features = kind.num_features(chosen)
    torch.manual_seed(1)
    description = {
        "modality": name,
        "alphabet": list(" abcd"),
        "slice_settings": chosen.model_dump(mode="json"),
        "text_settings": {},
        "num_features": num_features,
        "step": kind.step(chosen),
        "unit": kind.unit,
        "summary": {},
    }
    write_bundle(folder, Network(settings, num_features, 6).state_dict(), settings, description, "# Random\n")
    return folder


def test_transcribe_names_each_file_that_it_cannot_read(corpus: Corpus, tmp_path: Path) -> None:
    model = random_model(tmp_path / "model", corpus.name)
    paths = [f"corpus/{file}" for file in ODD[corpus.name][0]()]
    bad = [path for path in paths if corpus.reasons[path.removeprefix("corpus/")]]
    done = call(corpus.folder, "pipelines.transcribe", model, *paths, "-f", "jsonl", "--quiet")
    assert done.returncode == 1
    assert [json.loads(line)["path"] for line in done.stdout.splitlines()] == [
        path for path in paths if path not in bad
    ]
    *named, summary = [
        line for line in done.stderr.splitlines() if line.startswith("not transcribed") or "were" in line
    ]
    assert [line.split(": ")[1] for line in named] == bad
    assert all(len(line.split(": ", 2)[2]) > 5 for line in named)
    assert summary == f"{len(bad)} of {len(paths)} inputs were not transcribed"


# What the text side can get wrong, on the toy.


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy workspace after evaluate, with characters that training never showed and a text too long for the stride."""
    folder = tmp_path_factory.mktemp("scored")
    extra = [("long", "train", "abab"), ("foreign", "test", "añb"), ("foreign too", "validation", "ñ")]
    odd = [
        {"id": name, "path": f"{name}.numbers", "text": text, "group": name, "split": split, "numbers": f"1 2 3 4 {n}"}
        for n, (name, split, text) in enumerate(extra)
    ]
    good = [row | {"split": SPLITS[max(0, int(row["group"][1:]) - 9)]} for row in rows(12, 3)]
    write_corpus(folder / "corpus", good + odd)
    network = {"convolutions": [{"channels": 4, "stride": [2, 1]}], "num_layers": 1, "num_hidden": 8}
    training = {"epochs": 1, "num_threads": 1, "precision": "float32"}
    write_params(folder, [manifest()], network=network, training=training, evaluate={"bootstrap_samples": 10})
    for stage in ("prepare", "extract", "train", "evaluate"):
        done = toy(folder, stage)
        assert done.returncode == 0, done.stderr
    return folder


def test_characters_outside_the_alphabet_count_as_errors(scored: Path) -> None:
    alphabet = json.loads((scored / "models" / "toy" / "bundle.json").read_text("utf-8"))["alphabet"]
    assert alphabet == ["a", "b"]  # training alone defines it
    row = by_id(scored / "results" / "toy" / "hypotheses.jsonl")["foreign"]
    assert row["reference"] == "añb" and "ñ" not in row["hypothesis"]
    counts = row["character_counts"]
    assert counts["reference"] == 3 and counts["substitutions"] + counts["deletions"] >= 1
    metrics = json.loads((scored / "results" / "toy" / "metrics.json").read_text("utf-8"))
    assert metrics["samples"] == 4 and metrics["characters"]["reference"] == 3 * 2 + 3
    assert metrics["validation"]["samples"] == 4 and metrics["validation"]["characters"]["reference"] == 3 * 2 + 1
    findings = {row["code"]: row for row in json.loads((scored / "data" / "toy" / "findings.json").read_text("utf-8"))}
    assert findings["unseen_character_test"]["ids"] == ["foreign"]
    assert findings["unseen_character_validation"]["ids"] == ["foreign too"]


def test_a_transcript_too_long_for_the_network_s_stride_is_rejected_at_train(scored: Path) -> None:
    assert "long" in Store(scored / "data" / "toy" / "slices" / "train.arrow").ids
    found = by_id(scored / "results" / "toy" / "training_rejected.jsonl")
    assert {sample_id: (row["code"], row["stage"]) for sample_id, row in found.items()} == {
        "long": ("too_few_slices", "train")
    }
    assert "stride is 2" in found["long"]["sentence"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "manifest.tsv",
            b"path\ttranscrpt\na.numbers\tab\n",
            "line 1: no column 'text'; found 'path', 'transcrpt'; it may also be called transcript, ",
        ),
        ("manifest.csv", b"path,text\na.numbers\n", "line 2: 1 cells, the table has 2 columns"),
        ("manifest.jsonl", b'{"path": "a.numbers"}\n', "line 1: no column 'text'; found 'path'"),
        ("manifest.jsonl", b'{"path": "a.numbers", \n', "line 1: not JSON"),
        ("manifest.tsv", b"path\ttext\na.numbers\tcaf\xe9\n", "line 2: not UTF-8 text"),
        ("manifest.tsv", b"", "an empty table"),
        ("manifest.tsv", b"path\ttext\tsplit\na.numbers\tab\tholdout\n", "line 2: split 'holdout' is none of train"),
        ("manifest.tsv", None, "no such file"),
    ],
)
def test_a_wrong_table_is_one_line(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    write_corpus(tmp_path / "corpus", [])
    if content is not None:
        (tmp_path / "corpus" / name).write_bytes(content)
    write_params(tmp_path, [manifest(manifest=name)])
    done = toy(tmp_path, "prepare")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"error: corpus/{name}") and message in done.stderr
    assert not (tmp_path / "data").exists()


def test_too_many_rejections_end_the_stage(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus", [*rows(12, 1), {"id": "bad", "path": "none.numbers", "text": "ab"}])
    write_params(tmp_path, [manifest()])
    done = toy(tmp_path, "prepare")
    assert done.returncode == 2
    expected = "1 of 13 samples rejected (7.7%), max_rejected allows 5.0%: 1 missing_file"
    reasons = "as bad: none.numbers: no such file; the reasons are in data/toy/rejected.jsonl"
    assert done.stderr == f"error: {expected}, {reasons}\n"
    assert codes(tmp_path / "data" / "toy" / "rejected.jsonl") == {"bad": "missing_file"}
    assert not (tmp_path / "data" / "toy" / "samples.jsonl").exists()


# Settings.

WRONG = """seed: one
modalities: [toy]
toy:
  corpora:
    - {reader: manifest, root: corpus, mainfest: x.tsv}
  training: {learning_rate: fast, epochs: 0}
  slcies: {scale: 2}
"""
MISTAKES = ("seed: 'one'", "toy.corpora.0.mainfest", "toy.training.learning_rate: 'fast'", "toy.training.epochs: 0")


@pytest.mark.parametrize("stage", ["prepare", "extract", "train", "evaluate", "report"])
def test_all_mistakes_in_the_settings_are_told_before_any_work(tmp_path: Path, stage: str) -> None:
    (tmp_path / "params.yaml").write_text(WRONG, "utf-8")
    done = toy(tmp_path, stage)
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.removeprefix("error: ").splitlines()
    assert len(lines) == 5 and all(line.startswith("params.yaml: ") for line in lines)
    for mistake in (*MISTAKES, "toy.slcies: unknown"):
        assert sum(f"params.yaml: {mistake}" in line for line in lines) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_numbers_with_an_exponent_are_numbers(tmp_path: Path) -> None:
    """PyYAML, and with it many programs, reads 1e-3 as text."""
    write_corpus(tmp_path / "corpus", rows(12, 1))
    corpora = "corpora: [{reader: manifest, root: corpus, manifest: manifest.jsonl}]"
    text = f"seed: 1\nmodalities: [toy]\ntoy:\n  {corpora}\n  slices: {{scale: 1e-3}}\n"
    (tmp_path / "params.yaml").write_text(text, "utf-8")
    for stage in ("prepare", "extract"):
        assert toy(tmp_path, stage).returncode == 0
    assert Store(tmp_path / "data" / "toy" / "slices" / "train.arrow").metadata.settings == {"scale": 0.001}
