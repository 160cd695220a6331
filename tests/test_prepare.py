"""prepare: what it keeps, what it rejects and why, and how it splits."""

import itertools
import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ocr.modality
from common.errors import GlyphoneError
from common.files import read_jsonl
from common.samples import REASONS, Sample
from common.splitting import connected_groups, split_corpus
from pipelines.corpora import check_unicode
from pipelines.prepare import check_leaks, inspect, prepare
from tests.toy.workspace import enter_workspace, manifest, rows, write_corpus, write_params

DATA = Path("data/toy")
SPLIT = {"train": "train", "validation": "validation", "test": "test"}


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter_workspace(tmp_path, monkeypatch)


def run(corpus: list[dict[str, Any]], workspace: Path, **sections: Any) -> tuple[dict, dict, dict]:
    """Prepare a corpus; samples and rejections by id, findings by code."""
    write_corpus(workspace / "corpus", corpus)
    write_params(workspace, [manifest()], **sections)
    prepare("toy", DATA, num_workers=1)
    return outputs()


def outputs() -> tuple[dict, dict, dict]:
    samples = {row["id"]: row for row in read_jsonl(DATA / "samples.jsonl")}
    rejected = {row["id"]: row for row in read_jsonl(DATA / "rejected.jsonl")}
    findings = {row["code"]: row for row in json.loads((DATA / "findings.json").read_text("utf-8"))}
    return samples, rejected, findings


def with_split(split: str, prefix: str, **more: Any) -> dict[str, Any]:
    """One good sample of a fixed split."""
    name = f"{prefix}-{split}"
    numbers = " ".join(str(ord(letter)) for letter in name)
    row = {"id": name, "path": f"{name}.numbers", "text": "ab", "group": name, "split": split, "numbers": numbers}
    return row | more


def enough() -> list[dict[str, Any]]:
    return [with_split(split, f"good{number}") for split in SPLIT for number in range(10)]


# The split rule, over all kinds of corpora.

samples_strategy = st.lists(
    st.builds(
        Sample,
        id=st.just(""),
        path=st.just("p"),
        text=st.just("t"),
        group=st.sampled_from(["", *"abcdefghijkl"]),
        split=st.just(""),
    ),
    min_size=3,
    max_size=60,
).map(lambda samples: [replace(sample, id=str(number)) for number, sample in enumerate(samples)])


@settings(max_examples=80)
@given(samples_strategy, st.integers(0, 5), st.data())
def test_rule_never_parts_groups_or_contents(samples: list[Sample], seed: int, data: st.DataObject) -> None:
    digests = {sample.id: str(data.draw(st.integers(0, 80))) for sample in samples}
    bundles = connected_groups(samples, digests)
    if len(set(bundles.values())) < 3:
        with pytest.raises(GlyphoneError, match="cannot be split"):
            split_corpus(samples, digests, 0.1, 0.1, seed)
        return
    result = split_corpus(samples, digests, 0.1, 0.1, seed)
    assert [sample.id for sample in result] == [sample.id for sample in samples]
    assert {sample.split for sample in result} == set(SPLIT)
    splits: dict[str, set[str]] = defaultdict(set)
    for sample in result:
        splits[f"content {digests[sample.id]}"].add(sample.split)
        if sample.group:
            splits[f"group {sample.group}"].add(sample.split)
    assert all(len(each) == 1 for each in splits.values())
    shuffled = data.draw(st.permutations(samples))
    again = {sample.id: sample.split for sample in split_corpus(shuffled, digests, 0.1, 0.1, seed)}
    assert again == {sample.id: sample.split for sample in result}


def corpus(num_groups: int, size: int, split: str = "") -> list[Sample]:
    return [
        Sample(f"{split}{group}-{number}", "p", "t", f"{split}{group}", split)
        for group in range(num_groups)
        for number in range(size)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_shares_are_reached(seed: int) -> None:
    result = split_corpus(corpus(40, 5), {}, 0.1, 0.2, seed)
    assert 0.2 <= sum(sample.split == "test" for sample in result) / 200 <= 0.25
    assert 0.1 <= sum(sample.split == "validation" for sample in result) / 200 <= 0.15


def test_a_huge_group_stays_in_train() -> None:
    samples = corpus(1, 100) + [replace(each, id="x" + each.id, group="x" + each.group) for each in corpus(20, 5)]
    for seed in range(10):
        result = split_corpus(samples, {}, 0.1, 0.1, seed)
        assert {sample.split for sample in result if sample.group == "0"} == {"train"}


def test_fixed_test_gets_validation_from_train_by_group() -> None:
    samples = corpus(20, 5, "train") + corpus(4, 5, "test")
    result = split_corpus(samples, {}, 0.1, 0.1, 1)
    changed = [(old.split, new.split) for old, new in zip(samples, result, strict=True) if old != new]
    assert 10 <= len(changed) <= 15
    assert set(changed) == {("train", "validation")}
    train = {sample.group for sample in result if sample.split == "train"}
    assert not train & {sample.group for sample in result if sample.split == "validation"}


@pytest.mark.parametrize("splits", [("train",), ("test",), ("train", "validation", "test"), ("train", "validation")])
def test_fixed_splits_stay(splits: tuple[str, ...]) -> None:
    samples = [sample for split in splits for sample in corpus(10, 2, split)]
    assert split_corpus(samples, {}, 0.1, 0.1, 1) == samples


def test_samples_without_split_follow_their_group() -> None:
    samples = [*corpus(10, 2), Sample("extra", "p", "t", "3", "train"), *corpus(5, 2, "test")]
    result = {sample.id: sample.split for sample in split_corpus(samples, {}, 0.2, 0.2, 1)}
    assert result["3-0"] == result["3-1"] == "train"
    assert sum(split == "test" for split in result.values()) == 10  # the corpus fixes test: none is added
    assert "validation" in result.values()


# The stage.


def test_good_corpus(workspace: Path) -> None:
    samples, rejected, findings = run(rows(12, 4), workspace)
    assert len(samples) == 48
    assert not rejected
    assert "group_in_two_splits" not in findings
    assert all(row["corpus"] == "manifest" and not row["path"].startswith("/") for row in samples.values())


def test_bytes_do_not_depend_on_the_order_of_the_corpus(workspace: Path) -> None:
    run(rows(12, 2), workspace)
    before = {path.name: path.read_bytes() for path in DATA.iterdir()}
    run(rows(12, 2)[::-1], workspace)
    assert before == {path.name: path.read_bytes() for path in DATA.iterdir()}


def test_another_seed_may_keep_the_splits(workspace: Path) -> None:
    def after(of_all: int, **section: Any) -> bytes:
        write_params(workspace, [manifest()], prepare=section)
        params = json.loads(Path("params.yaml").read_text("utf-8"))
        Path("params.yaml").write_text(json.dumps(params | {"seed": of_all}), "utf-8")
        prepare("toy", DATA, num_workers=1)
        return (DATA / "samples.jsonl").read_bytes()

    write_corpus(workspace / "corpus", rows(12, 2))
    assert after(2, seed=1) == after(1) != after(2)


def test_text_is_normalised_once(workspace: Path) -> None:
    bad = [with_split("train", "mixed", text="\ufeff  E\u0301a\r\n B ")]
    samples, _, _ = run([*enough(), *bad], workspace, text={"case": "lower"})
    assert samples["mixed-train"]["text"] == "\xe9a b"


BAD = {
    "missing_file": {"numbers": None},
    "unreadable": {"numbers": "1 2 x"},
    "empty_signal": {"numbers": ""},
    "empty_text": {"text": " \t "},
    "outside_corpus": {"path": "../outside.numbers", "numbers": None},
}


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("code", BAD)
def test_bad_samples_are_named(workspace: Path, code: str, split: str) -> None:
    (workspace / "outside.numbers").write_text("1 2 3", "utf-8")
    bad = {key: value for key, value in with_split(split, "bad", **BAD[code]).items() if value is not None}
    samples, rejected, _ = run([*enough(), bad], workspace)
    name = f"bad-{split}"
    assert set(rejected) == {name}
    assert rejected[name]["code"] == code and code in REASONS
    assert rejected[name]["stage"] == "prepare" and rejected[name]["split"] == split
    # A test sample that cannot be read counts as all deletions; one without transcript cannot be scored at all.
    assert (name in samples) == (split == "test" and code != "empty_text")


def test_link_out_of_the_corpus_is_refused(workspace: Path) -> None:
    (workspace / "secret.numbers").write_text("1 2 3", "utf-8")
    (workspace / "corpus").mkdir()
    (workspace / "corpus" / "link.numbers").symlink_to(workspace / "secret.numbers")
    row = with_split("train", "bad", path="link.numbers")
    del row["numbers"]
    _, rejected, _ = run([*enough(), row], workspace)
    assert rejected["bad-train"]["code"] == "outside_corpus"


def test_second_sample_of_an_id_is_rejected(workspace: Path) -> None:
    first = with_split("train", "good0")
    samples, rejected, _ = run([*enough(), first | {"text": "other"}], workspace)
    assert rejected["good0-train"]["code"] == "duplicate_id"
    assert samples["good0-train"]["text"] == "ab"


def test_too_many_rejections_end_the_stage_after_writing(workspace: Path) -> None:
    bad = [with_split("train", f"bad{number}", text="") for number in range(4)]
    with pytest.raises(GlyphoneError, match=r"4 of 34 samples rejected .*max_rejected allows 5.0%.*rejected.jsonl"):
        run([*enough(), *bad], workspace)
    assert len(list(read_jsonl(DATA / "rejected.jsonl"))) == 4
    assert not (DATA / "samples.jsonl").exists()
    samples, _, _ = run([*enough(), *bad], workspace, prepare={"max_rejected": 0.5})
    assert len(samples) == 30


def test_leak_of_a_fixed_split_is_a_finding(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair = [with_split("train", "twin", numbers="7 7 7"), with_split("test", "twin", numbers="7 7 7")]
    samples, _, findings = run([*enough(), *pair], workspace)
    assert findings["content_in_two_splits"]["ids"] == ["twin-test", "twin-train"]
    assert {"twin-train", "twin-test"} <= set(samples)
    assert "toy: content_in_two_splits: " in capsys.readouterr().err
    assert "leave the corpus's split empty" in findings["content_in_two_splits"]["advice"]
    samples, _, findings = run([{**row, "split": ""} for row in [*enough(), *pair]], workspace)
    assert "content_in_two_splits" not in findings
    assert samples["twin-train"]["split"] == samples["twin-test"]["split"]


@pytest.mark.parametrize("height", [12, 48])
def test_a_picture_is_as_long_as_it_is_wide_by_its_height(height: int, tmp_path: Path) -> None:
    (tmp_path / "line.png").write_bytes(ocr.modality.preview(np.zeros((height, 9 * height), np.uint8))[1])
    line = Sample("line", "line.png", "text", "g", "train", corpus="c")
    assert inspect(line, "ocr", {"c": tmp_path}).length == 9


def test_lines_of_the_other_direction_are_said_before_a_training(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = [row | {"text": "אב"} for row in enough()]
    _, _, findings = run(corpus, workspace)
    assert findings["text_direction"]["count"] == 30
    assert "toy: text_direction: 30 of 30 transcripts with letters read from right to left" in capsys.readouterr().err
    _, _, findings = run(corpus, workspace, text={"direction": "rtl"})
    assert "text_direction" not in findings and "text_direction" not in capsys.readouterr().err


def test_leak_between_corpora_is_an_error(workspace: Path) -> None:
    write_corpus(workspace / "one", enough())
    write_corpus(workspace / "two", [with_split("train", "copy", numbers=enough()[-1]["numbers"])])
    write_params(workspace, [manifest("one", name="one"), manifest("two", name="two")])
    with pytest.raises(GlyphoneError, match=r"one/good9-test \(test\) and two/copy-train \(train\)"):
        prepare("toy", DATA, num_workers=1)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_leak_is_one_in_any_order_of_samples(order: tuple[int, ...]) -> None:
    """Corpus A has the content in two splits of its own, and B has it once more."""
    samples = [
        Sample(id=each, path=each, text="", group=each, split=split, corpus=each[0])
        for each, split in (("A1", "train"), ("A2", "test"), ("B1", "train"))
    ]
    with pytest.raises(GlyphoneError, match=r"two splits: (A2 \(test\) and B1|B1 \(train\) and A2)"):
        check_leaks([samples[place] for place in order], dict.fromkeys(("A1", "A2", "B1"), "same"))


@pytest.mark.parametrize("key", ["id", "path", "text", "group", "licence"])
def test_half_an_emoji_is_refused_wherever_it_stands(key: str) -> None:
    sample = replace(Sample(id="a", path="a", text="a", group="a", split=""), **{key: "\ud83d"})
    with pytest.raises(GlyphoneError, match=rf"corpus radio: {key} '.ud83d' is no Unicode text"):
        check_unicode("radio", sample)


def test_ids_of_several_corpora_are_kept_apart(workspace: Path) -> None:
    write_corpus(workspace / "one", rows(12, 1))
    write_corpus(workspace / "two", [row | {"numbers": row["numbers"] + " 9"} for row in rows(12, 1)])
    write_params(workspace, [manifest("one", name="one"), manifest("two", name="two")])
    prepare("toy", DATA, num_workers=1)
    samples, rejected, _ = outputs()
    assert not rejected
    assert len(samples) == 24
    assert all(id.startswith(row["corpus"] + "/") for id, row in samples.items())
    assert {row["group"] for row in samples.values()} == {f"g{number}" for number in range(12)}


def test_a_split_without_samples_is_an_error(workspace: Path) -> None:
    with pytest.raises(GlyphoneError, match="no samples for test"):
        run([row for row in enough() if row["split"] != "test"], workspace)


def test_what_cannot_be_split_is_told_before_any_file_is_read(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.prepare.map_ordered", lambda *_, **__: pytest.fail("files are read"))
    with pytest.raises(GlyphoneError, match="corpus manifest: 5 samples in 1 group"):
        run(rows(1, 5), workspace)
    with pytest.raises(GlyphoneError, match="no samples for test"):
        run(rows(12, 2), workspace, prepare={"test_share": 0.0})


def test_too_few_groups_name_the_corpus(workspace: Path) -> None:
    with pytest.raises(GlyphoneError, match=r"corpus manifest: 20 samples in 2 group\(s\) \(.*\) cannot be split"):
        run(rows(2, 10), workspace)


def test_missing_root_says_where_it_looked(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLYPHONE_DATA", "/nowhere")
    write_params(workspace, [manifest("absent")])
    with pytest.raises(GlyphoneError) as error:
        prepare("toy", DATA, num_workers=1)
    for part in ("toy.corpora.0.root", "'absent'", "/nowhere/absent", "GLYPHONE_DATA", "corpora/absent"):
        assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_an4_as_distributed(workspace: Path, shared_data: Path) -> None:
    """Real recordings: the fixed test set whole, validation from training speakers alone."""
    if not (shared_data / "speech" / "an4").is_dir():
        pytest.skip("AN4 is not there")
    tree = {"seed": 1, "modalities": ["audio"], "audio": {"corpora": [{"reader": "an4", "root": "speech/an4"}]}}
    Path("params.yaml").write_text(json.dumps(tree), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLYPHONE_DATA", str(shared_data))
        prepare("audio", Path("data/audio"), num_workers=1)
    samples = list(read_jsonl("data/audio/samples.jsonl"))
    groups = {split: {row["group"] for row in samples if row["split"] == split} for split in SPLIT}
    assert sum(row["split"] == "test" for row in samples) == 130
    assert len(samples) == 1078
    assert not groups["train"] & groups["validation"] and not groups["test"] & groups["train"]


def test_warnings_are_named_before_a_later_stage_can_stop(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = [with_split(split, f"good{number}") for split in SPLIT for number in range(10)]
    _, _, findings = run([*corpus, with_split("test", "odd", text="q")], workspace)
    warnings = [f"{row['count']} {code}" for code, row in findings.items() if row["severity"] == "warning"]
    assert "1 unseen_character_test" in warnings
    told = f"toy: warnings: {', '.join(warnings)}; {DATA / 'findings.json'}"
    assert told in capsys.readouterr().err.splitlines()
