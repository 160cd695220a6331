"""Pictures of line pairs that nobody has transcribed yet: listed and told, but no fault of the corpus."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from common.errors import GlyphoneError
from common.samples import Rejection, Sample, read_rejections, read_samples
from ocr.modality import MODALITY
from pipelines.prepare import prepare

READER = MODALITY.corpora["line_pairs"]


def listed(root: Path, **chosen: object) -> tuple[list[Sample], dict[str, str]]:
    """Samples, and id → sentence of the rejections, all of them no_transcript."""
    both = list(READER.read(READER.Settings(**chosen), root, 1))
    rejections = [each for each in both if isinstance(each, Rejection)]
    assert {each.code for each in rejections} <= {"no_transcript"}
    return [each for each in both if isinstance(each, Sample)], {each.id: each.sentence for each in rejections}


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("Zeile", encoding="utf-8")


def test_versions_of_a_line_are_one_line(tmp_path: Path) -> None:
    touch(tmp_path, "b/1.gt.txt", "b/1.png", "b/1.bin.png", "b/1.nrm.png", "b/1.dew.PNG", "b/1.cseg.gt.png")
    touch(tmp_path, "b/2.bin.png", "b/2.nrm.png", "b/2.dew.png", "c/3.tif", "c/page.1.png", "c/page.2.png")
    samples, rejected = listed(tmp_path)
    assert [each.path for each in samples] == ["b/1.png"]
    assert rejected == {
        "b/2": "b/2.bin.png: no transcript b/2.gt.txt",
        "c/3": "c/3.tif: no transcript c/3.gt.txt",
        "c/page.1": "c/page.1.png: no transcript c/page.1.gt.txt",
        "c/page.2": "c/page.2.png: no transcript c/page.2.gt.txt",
    }


def test_transcripts_of_a_version_are_those_of_the_line(tmp_path: Path) -> None:
    touch(tmp_path, "1.nrm.gt.txt", "1.nrm.png", "1.bin.png", "1.png", "2.clean.png")
    samples, rejected = listed(tmp_path, versions=["", ".clean"])
    assert [each.path for each in samples] == ["1.nrm.png"]
    assert rejected == {"2": "2.clean.png: no transcript 2.gt.txt"}


def test_a_missing_picture_has_the_ending_of_the_others(tmp_path: Path) -> None:
    touch(tmp_path, "b/1.gt.txt", "b/1.tif", "b/2.gt.txt", "c/3.gt.txt", "c/3.tif", "c/4.gt.txt", "c/4.jpg")
    assert [each.path for each in listed(tmp_path)[0]] == ["b/1.tif", "b/2.tif", "c/3.tif", "c/4.jpg"]


def test_pages_that_lines_were_cut_from_are_no_lines(tmp_path: Path) -> None:
    """As ocropus lays them: book/0001.bin.png, its segmentation, and book/0001/010001.bin.png."""
    touch(tmp_path, "book/0001.bin.png", "book/0001.pseg.png", "book/0001/010001.bin.png", "book/0001/010001.gt.txt")
    assert listed(tmp_path)[1] == {}


def test_hidden_pictures_and_other_files_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "1.gt.txt", "1.png", "._2.png", ".thumbnails/2.png", "notes.pdf", "2.txt", "2.gt.txt.bak")
    assert listed(tmp_path)[1] == {}
    (tmp_path / "album.png").mkdir()
    assert listed(tmp_path)[1] == {}


def test_with_plain_transcripts(tmp_path: Path) -> None:
    touch(tmp_path, "1.txt", "1.png", "2.png")
    assert listed(tmp_path)[1] == {"2": "2.png: no transcript 2.txt"}


names = st.lists(st.from_regex(r"[ab]/[0-9]{1,2}", fullmatch=True), min_size=1, max_size=8, unique=True)


@settings(max_examples=15)
@given(names, names, st.sampled_from(["", ".bin", ".nrm", ".dew"]), st.sampled_from([".png", ".TIF", ".jpg"]))
def test_every_picture_is_a_sample_or_is_told(
    tmp_path_factory: pytest.TempPathFactory, transcripts: list[str], pictures: list[str], version: str, suffix: str
) -> None:
    root = tmp_path_factory.mktemp("lines")
    touch(root, *(f"{name}.gt.txt" for name in transcripts), *(f"{name}{version}{suffix}" for name in pictures))
    samples, rejected = listed(root)
    assert {each.id for each in samples} == set(transcripts)
    assert set(rejected) == set(pictures) - set(transcripts)


def test_prepare_goes_on_where_most_lines_wait_for_their_transcript(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0)
    for number in range(60):
        name = tmp_path / "lines" / f"{number:02d}.png"
        name.parent.mkdir(exist_ok=True)
        Image.fromarray(random.integers(0, 256, (16, 64)).astype(np.uint8)).save(name)
        if number < 20:
            name.with_suffix(".gt.txt").write_text(f"Zeile {number}", encoding="utf-8")
    corpus = {"reader": "line_pairs", "root": str(tmp_path / "lines")}

    def params(*corpora: dict[str, str]) -> None:
        tree = {"seed": 1, "recipe": "mine", "modalities": ["ocr"], "ocr": {"corpora": corpora}}
        (tmp_path / "params.yaml").write_text(json.dumps(tree), encoding="utf-8")

    monkeypatch.chdir(tmp_path)
    params(corpus)
    prepare("ocr", Path("data/ocr"), num_workers=1)
    told = "ocr: 40 are not transcribed and left out, the first is 20.png: no transcript 20.gt.txt; "
    assert f"{told}data/ocr/rejected.jsonl names all" in capsys.readouterr().err.splitlines()
    assert len(read_samples("data/ocr/samples.jsonl")) == 20
    rejections = read_rejections("data/ocr/rejected.jsonl")
    assert [each.id for each in rejections] == [f"{number}" for number in range(20, 60)]
    assert {(each.stage, each.code) for each in rejections} == {("prepare", "no_transcript")}
    # Faults count among what is transcribed: 2 of 20 are more than 5 %.
    for number in (3, 5):
        (tmp_path / "lines" / f"{number:02d}.gt.txt").write_text("")
    params(corpus | {"name": "one"}, corpus | {"name": "two"})
    with pytest.raises(GlyphoneError, match=r"4 of 40 samples rejected \(10\.0%\).*: 4 empty_text, as "):
        prepare("ocr", Path("data/ocr"), num_workers=1)
    assert {"one/20", "two/59"} <= {each.id for each in read_rejections("data/ocr/rejected.jsonl")}
