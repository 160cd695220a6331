"""Transcripts that cannot be read are listed, all in one run, and the others are learnt from."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_ocr_corpora import ALTO, BOMB, PAGE, page_image

from common.errors import GlyphoneError
from common.samples import Rejection, Sample, read_rejections, read_samples
from ocr.modality import MODALITY
from pipelines.prepare import prepare

LATIN1 = "Straße".encode("latin-1")


def listed(reader: str, root: Path, **chosen: object) -> tuple[list[str], dict[str, tuple[str, str]]]:
    """Ids of the samples, and id → code and sentence of the rejections."""
    found = MODALITY.corpora[reader]
    both = list(found.read(found.Settings(**chosen), root, 1))
    rejections = {each.id: (each.code, each.sentence) for each in both if isinstance(each, Rejection)}
    return [each.id for each in both if isinstance(each, Sample)], rejections


@pytest.mark.parametrize(("reader", "ending"), [("folder", ".txt"), ("line_pairs", ".gt.txt")])
def test_a_transcript_that_is_no_text_is_listed_with_its_split(tmp_path: Path, reader: str, ending: str) -> None:
    for name in ("train/b/1", "train/b/2", "test/c/3"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.png").touch()
        (tmp_path / f"{name}{ending}").write_bytes("Straße".encode() if name.endswith("1") else b"so\n" + LATIN1)
    samples, rejections = listed(reader, tmp_path, splits_from_folders=True)
    names = {"folder": ("train/b/1.png", "train/b/2.png"), "line_pairs": ("train/b/1", "train/b/2")}[reader]
    assert samples == [names[0]] and len(rejections) == 2
    code, sentence = rejections[names[1]]
    assert code == "bad_transcript" and f"train/b/2{ending}, line 2: not UTF-8 text" in sentence
    found = MODALITY.corpora[reader]
    splits = {each.id: each.split for each in found.read(found.Settings(splits_from_folders=True), tmp_path, 1)}
    assert sorted(splits.values()) == ["test", "train", "train"]


def test_a_folder_without_one_that_can_be_read_stops(tmp_path: Path) -> None:
    (tmp_path / "1.png").touch()
    (tmp_path / "1.txt").write_bytes(LATIN1)
    with pytest.raises(GlyphoneError, match=r"none of 1 file has a transcript.*1 cannot be read.*1\.txt, line 1: not"):
        listed("folder", tmp_path)


@pytest.mark.parametrize(("reader", "content"), [("page_xml", PAGE), ("alto", ALTO)])
@pytest.mark.parametrize("bad", ["<PcGts><Page>", BOMB, "<html/>", ""])
def test_a_page_that_cannot_be_read_is_listed_once(tmp_path: Path, reader: str, content: str, bad: str) -> None:
    for number in (1, 2, 3):
        page_image(tmp_path / f"page{number}.png")
        (tmp_path / f"page{number}.xml").write_text(content.replace("page1.png", f"page{number}.png"))
    good, _ = listed(reader, tmp_path)
    (tmp_path / "page2.xml").write_text(bad)
    samples, rejections = listed(reader, tmp_path)
    assert samples == [each for each in good if "page2" not in each]
    assert {name: code for name, (code, _) in rejections.items()} == {"page2.xml": "bad_transcript"}
    for number in (1, 3):
        (tmp_path / f"page{number}.xml").write_text(bad)
    with pytest.raises(GlyphoneError, match=r"page1\.xml: .*; 2 others cannot be read either"):
        listed(reader, tmp_path)


def test_prepare_goes_on_and_stops_beyond_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for number in range(40):
        folder = tmp_path / "lines" / f"book{number % 8}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (32, 60), dtype=np.uint8)).save(folder / f"{number}.png")
        (folder / f"{number}.gt.txt").write_text("Zeile", encoding="utf-8")

    def run() -> None:
        corpus = {"reader": "line_pairs", "root": str(tmp_path / "lines")}
        tree = {"seed": 1, "recipe": "mine", "modalities": ["ocr"], "ocr": {"corpora": [corpus]}}
        (tmp_path / "params.yaml").write_text(json.dumps(tree), encoding="utf-8")
        prepare("ocr", tmp_path / "data", num_workers=1)

    (tmp_path / "lines" / "book0" / "8.gt.txt").write_bytes(LATIN1)
    run()
    assert len(read_samples(tmp_path / "data" / "samples.jsonl")) == 39
    (rejection,) = read_rejections(tmp_path / "data" / "rejected.jsonl")
    assert (rejection.id, rejection.code) == ("book0/8", "bad_transcript")
    told = next(line for line in capsys.readouterr().err.splitlines() if "rejected" in line)
    assert told.startswith("1 of 40 samples rejected (2.5%): 1 bad_transcript, as ") and "8.gt.txt, line 1" in told
    shutil.copy(tmp_path / "lines" / "book0" / "8.gt.txt", tmp_path / "lines" / "book1" / "9.gt.txt")
    shutil.copy(tmp_path / "lines" / "book0" / "8.gt.txt", tmp_path / "lines" / "book1" / "1.gt.txt")
    with pytest.raises(GlyphoneError, match=r"3 of 40 samples rejected .* 3 bad_transcript, as .*not UTF-8 text"):
        run()
