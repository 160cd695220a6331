"""Links to folders are not followed: behind them lies something else, or the same once more. They are named."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.errors import GlyphoneError
from common.modality import CorpusReader
from common.samples import Rejection, read_rejections
from ocr.modality import MODALITY
from pipelines.inputs import MOST_LINKS, find_files
from pipelines.prepare import prepare

PAGE = (
    '<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"><Page imageFilename="1.png" '
    'imageWidth="40" imageHeight="20"><TextRegion id="r"><Coords points="0,0 40,0 40,20"/><TextLine id="l">'
    '<Coords points="0,0 40,0 40,20 0,20"/><TextEquiv><Unicode>ab</Unicode></TextEquiv></TextLine></TextRegion>'
    "</Page></PcGts>"
)
WRITE: dict[str, Callable[[Path], object]] = {
    "folder": lambda folder: (folder / "1.txt").write_text("ab", "utf-8"),
    "line_pairs": lambda folder: (folder / "1.gt.txt").write_text("ab", "utf-8"),
    "page_xml": lambda folder: (folder / "1.xml").write_text(PAGE, "utf-8"),
}


def write(folder: Path, reader: str) -> Path:
    """A folder with a picture and what the reader takes for its transcript."""
    folder.mkdir(parents=True)
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (20, 40), np.uint8)).save(folder / "1.png")
    WRITE[reader](folder)
    return folder


def rejections(reader: CorpusReader, root: Path) -> list[tuple[str, str]]:
    read = list(reader.read(reader.Settings(), root, 1))
    return [(each.id, each.code) for each in read if isinstance(each, Rejection)]


@pytest.mark.parametrize("name", WRITE)
def test_a_corpus_names_them(tmp_path: Path, name: str) -> None:
    reader, root, elsewhere = MODALITY.corpora[name], write(tmp_path / "root", name), write(tmp_path / "disk", name)
    (root / "deep").mkdir()
    (root / "deep" / "more").symlink_to(elsewhere)
    (root / "again").symlink_to(root)
    (root / ".hidden").symlink_to(elsewhere)
    (root / "broken").symlink_to(tmp_path / "nowhere")
    assert rejections(reader, root) == [("again", "linked_folder"), ("deep/more", "linked_folder")]


@pytest.mark.parametrize("name", WRITE)
def test_a_corpus_of_nothing_else_says_why_it_is_empty(tmp_path: Path, name: str) -> None:
    elsewhere = write(tmp_path / "disk", name)
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "more").symlink_to(elsewhere)
    with pytest.raises(GlyphoneError, match=r"root: no .*; links to folders are not followed: more$"):
        rejections(MODALITY.corpora[name], tmp_path / "root")


def test_prepare_tells_and_counts_them_as_no_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(30):
        picture = write(tmp_path / "root" / f"{number}", "folder") / "1.png"
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (20, 40), np.uint8)).save(picture)
    (tmp_path / "root" / "link").symlink_to(tmp_path / "root" / "1")
    corpus = {"reader": "folder", "root": str(tmp_path / "root")}
    tree = {"seed": 1, "recipe": "mine", "modalities": ["ocr"]}
    tree["ocr"] = {"corpora": [corpus], "prepare": {"max_rejected": 0}}
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(json.dumps(tree), "utf-8")
    prepare("ocr", Path("data/ocr"), num_workers=1)
    told = "ocr: 1 is a link to a folder, which is not followed, the first is link: a link to a folder; "
    assert told in capsys.readouterr().err
    (only,) = read_rejections("data/ocr/rejected.jsonl")
    assert (only.id, only.code) == ("link", "linked_folder")


def test_transcribe_names_them(tmp_path: Path) -> None:
    root = write(tmp_path / "root", "folder")
    for name in "abcd":
        (root / name).symlink_to(tmp_path)
    found = find_files([str(root)], MODALITY.suffixes)
    assert (found.paths, found.links) == ([str(root / "1.png")], tuple(str(root / name) for name in "abcd"))
    shown = ", ".join(str(root / name) for name in "abcd"[:MOST_LINKS])
    *_, said = found.sentence().splitlines()
    assert said == f"links to folders are not followed: {shown} and 1 more; one that is named itself is"
    assert find_files([str(root / "a")], MODALITY.suffixes).paths == [str(root / "a" / "root" / "1.png")]
