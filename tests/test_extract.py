"""extract: rows of the stores, what is rejected, the same bytes every time."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.errors import GlyphoneError
from common.files import read_jsonl
from common.samples import SPLITS, Sample, write_samples
from common.store import Store
from pipelines.extract import extract
from pipelines.prepare import prepare
from tests.toy.workspace import enter_workspace, manifest, rows, write_corpus, write_params

ROOT = Path(__file__).parent.parent
DATA = Path("data/toy")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter_workspace(tmp_path, monkeypatch)


def run(workspace: Path, samples: list[Sample], files: dict[str, str], **sections: Any) -> dict[str, Store]:
    write_corpus(workspace / "corpus", [])
    for name, numbers in files.items():
        (workspace / "corpus" / name).write_text(numbers, "utf-8")
    write_params(workspace, [manifest()], **sections)
    write_samples(DATA / "samples.jsonl", samples)
    extract("toy", DATA, num_workers=1)
    return {split: Store(DATA / "slices" / f"{split}.arrow") for split in SPLITS}


def sample(id: str, split: str, text: str = "ab", path: str = "") -> Sample:
    return Sample(id, path or f"{id}.numbers", text, f"group-{id}", split, corpus="manifest")


def good(num: int = 3) -> tuple[list[Sample], dict[str, str]]:
    samples = [sample(f"{split}{number}", split) for split in SPLITS for number in range(num)]
    return samples, {each.path: f"{len(each.id)} 1 2 3" for each in samples}


def rejected() -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in read_jsonl(DATA / "slices" / "rejected.jsonl")}


def test_rows_hold_samples_and_slices(workspace: Path) -> None:
    samples, files = good()
    samples = [replace(each, licence=licence) for each, licence in zip(samples, 3 * ["CC0", "CC-BY", ""], strict=True)]
    stores = run(workspace, samples[::-1], files, slices={"scale": 0.5})
    for split, store in stores.items():
        assert store.ids == [f"{split}{number}" for number in range(3)]
        assert store.texts == ["ab"] * 3
        assert store.groups == [f"group-{id}" for id in store.ids]
        assert store.corpora == ["manifest"] * 3
        assert store.metadata.licences == {"manifest": "CC-BY; CC0"}
        expected = 0.5 * np.array([len(store.ids[0]), 1, 2, 3])
        np.testing.assert_allclose(store.slices(0), np.stack([expected, expected**2], 1))
        assert (store.metadata.modality, store.metadata.num_features, store.metadata.unit) == ("toy", 2, "px")
        assert store.preview(0) == (("text/plain", b"4") if split == "test" else ("", b""))
    assert not rejected()


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize(
    ("code", "path", "numbers"),
    [
        ("missing_file", "absent.numbers", None),
        ("unreadable", "bad.numbers", "1 x"),
        ("too_long", "bad.numbers", "1 " * 101),
        ("not_finite", "bad.numbers", "1 2 inf 4"),
        ("outside_corpus", "../params.yaml", None),
    ],
)
def test_bad_samples(workspace: Path, split: str, code: str, path: str, numbers: str | None) -> None:
    samples, files = good()
    if numbers is not None:
        files[path] = numbers
    stores = run(workspace, [*samples, sample("bad", split, path=path)], files, extract={"max_rejected": 0.5})
    assert {id: (row["code"], row["stage"], row["split"]) for id, row in rejected().items()} == {
        "bad": (code, "extract", split)
    }
    # A test sample is never dropped: without slices, all of its text counts as deleted.
    assert ("bad" in stores[split].ids) == (split == "test")
    if split == "test":
        assert stores["test"].slices(stores["test"].ids.index("bad")).shape == (0, 2)


@pytest.mark.parametrize(
    ("text", "fits"), [("abcd", True), ("abc", True), ("abb", True), ("aab ", False), ("aabb", False)]
)
def test_too_few_slices_count_repeats_double(workspace: Path, text: str, fits: bool) -> None:
    samples, files = good()
    samples += [sample("long", "train", text), sample("long-test", "test", text)]
    files |= {"long.numbers": "1 2 3 4", "long-test.numbers": "1 2 3 4"}
    stores = run(workspace, samples, files, extract={"max_rejected": 0.5})
    assert ("long" in stores["train"].ids) == fits
    assert [row["code"] for row in rejected().values()] == ["too_few_slices"] * (not fits)
    # For scoring it does not matter whether CTC could have been trained on it.
    assert stores["test"].lengths[stores["test"].ids.index("long-test")] == 4


def test_too_many_rejections_end_the_stage(workspace: Path) -> None:
    samples, files = good()
    with pytest.raises(GlyphoneError, match="1 of 10 samples rejected"):
        run(workspace, [*samples, sample("bad", "train")], files)
    assert set(rejected()) == {"bad"}


def test_missing_samples_are_named(workspace: Path) -> None:
    (workspace / "corpus").mkdir()
    write_params(workspace, [manifest()])
    with pytest.raises(GlyphoneError, match=r"data/toy/samples.jsonl: no such file"):
        extract("toy", DATA, num_workers=1)


def test_again_the_same_bytes(workspace: Path) -> None:
    samples, files = good(20)
    contents = []
    for order in (1, -1):
        run(workspace, samples[::order], files)
        contents.append({path.name: path.read_bytes() for path in (DATA / "slices").iterdir()})
        shutil.rmtree(DATA)
    assert contents[0] == contents[1]
    assert set(contents[0]) == {"train.arrow", "validation.arrow", "test.arrow", "rejected.jsonl"}


@pytest.mark.parametrize("short", ["validation", "train"])
def test_a_split_of_which_nothing_is_left_is_refused(
    short: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = enter_workspace(tmp_path, monkeypatch)
    many = "test" if short == "train" else "train"
    (other,) = {"train", "validation", "test"} - {short, many}
    good = rows(10, 4, split=many)
    good += [{"id": "o", "path": "o.numbers", "text": "ab", "group": "o", "numbers": "8 0 3 4", "split": other}]
    bad = {"id": "v", "path": "v.numbers", "text": "abababab", "group": "v", "numbers": "9 9", "split": short}
    write_corpus(folder / "corpus", [*good, bad])
    write_params(folder, [manifest()])
    prepare("toy", Path("data/toy"), 1)
    with pytest.raises(GlyphoneError, match=f"no usable sample for {short}: all were rejected"):
        extract("toy", Path("data/toy"), 1)
