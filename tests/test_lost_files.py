"""Nothing of a corpus is lost without a word: files that no transcript is of, transcripts of no file, hidden files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from audio.corpora import CORPORA
from common.corpus_files import files_below
from common.errors import GlyphoneError
from common.samples import Rejection, Sample
from ocr.modality import MODALITY as OCR
from tests.users import anybody

READERS = {**OCR.corpora, **CORPORA}
NAMES = st.text("ab._", min_size=1, max_size=4).filter(lambda name: set(name) - {"."})


def write(root: Path, **files: str) -> None:
    """Files by path; contents matter to lists alone."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")


def touch(root: Path, *names: str) -> None:
    write(root, **dict.fromkeys(names, "x"))


def listed(reader: str, root: Path, **settings: object) -> tuple[list[str], dict[str, str]]:
    """Ids of the samples; id → code of the rejections."""
    kind = READERS[reader]
    both = list(kind.read(kind.Settings(**settings), root, 1))
    rejections = [each for each in both if isinstance(each, Rejection)]
    assert all(each.id.rpartition("/")[2] in each.sentence and each.stage == "prepare" for each in rejections)
    return [each.id for each in both if isinstance(each, Sample)], {each.id: each.code for each in rejections}


@given(st.lists(st.lists(NAMES, min_size=1, max_size=3), max_size=6))
def test_all_files_but_hidden_ones_are_seen(tmp_path_factory: pytest.TempPathFactory, paths: list[list[str]]) -> None:
    root = tmp_path_factory.mktemp(".root")
    made = []
    for parts in paths:
        file = root.joinpath(*parts)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        except OSError:  # a file where this one needs a folder
            continue
        made += [parts] if file.is_file() else []
    seen = {"/".join(parts) for parts in made if not any(part.startswith(".") for part in parts)}
    assert files_below(root) == sorted(seen)
    assert files_below(root, "a") == sorted(path for path in seen if path.startswith("a/"))


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    """One to a folder above would list the corpus many times over."""
    touch(tmp_path, "a/1.wav", "b/2.wav")
    (tmp_path / "a" / "round").symlink_to(tmp_path)
    (tmp_path / "b" / "3.wav").symlink_to(tmp_path / "a" / "1.wav")  # to a file it is one
    assert files_below(tmp_path) == ["a/1.wav", "b/2.wav", "b/3.wav"]


def test_a_folder_that_may_not_be_read_is_named() -> None:
    with anybody() as folder:
        (folder / "closed").mkdir(mode=0)
        with pytest.raises(GlyphoneError, match="closed: Permission denied"):
            files_below(folder)


HIDDEN = ("._a.wav", "._a.png", ".trash/old.wav", ".trash/old.png", ".trash/old.txt", ".trash/old.gt.txt")


def test_folder(tmp_path: Path) -> None:
    touch(tmp_path, *HIDDEN, "a.wav", "a.txt", "b.wav", "b.wav.txt", "sub/lost.txt", "c.m4a", "c.txt")
    assert listed("folder", tmp_path) == (["a.wav", "b.wav"], {"sub/lost.txt": "no_file", "c.m4a": "unreadable"})


def test_a_file_of_a_folder_that_is_not_read_is_said_to_be_of_its_split(tmp_path: Path) -> None:
    touch(tmp_path, "train/a.wav", "train/a.txt", "test/b.m4a", "test/b.txt")
    kind = READERS["folder"]
    for named, split in ((True, "test"), (False, "")):
        *_, refused = kind.read(kind.Settings(splits_from_folders=named), tmp_path, 1)
        assert isinstance(refused, Rejection) and (refused.id, refused.split) == ("test/b.m4a", split)


def test_line_pairs(tmp_path: Path) -> None:
    touch(tmp_path, *HIDDEN, "a.png", "a.gt.txt", "b.png")
    assert listed("line_pairs", tmp_path) == (["a"], {"b": "no_transcript"})


KALDI = {
    "train/text": "u1 HELLO\nu3\n",
    "train/wav.scp": "u1 a.wav\nu2 b.wav\nu3 c.wav\n",
}


def test_kaldi(tmp_path: Path) -> None:
    write(tmp_path, **KALDI)
    assert listed("kaldi", tmp_path) == (["u1", "u3"], {"u2": "no_transcript"})
    write(tmp_path, **{"train/segments": "u1 u1 0 1\nu1b u1 1 2\nu3 u2 0 1\n"})
    assert listed("kaldi", tmp_path) == (["u1", "u3"], {"u1b": "no_transcript", "u3": "no_transcript"})


def test_librispeech(tmp_path: Path) -> None:
    chapter = "LibriSpeech/dev-clean/1/2"
    write(tmp_path, **{f"{chapter}/1-2.trans.txt": "1-2-0000 HELLO\n"})
    touch(tmp_path, f"{chapter}/1-2-0000.flac", f"{chapter}/1-2-0001.flac", f"{chapter}/._1-2.trans.txt")
    touch(tmp_path, "LibriSpeech/dev-clean/1/3/1-3-0000.flac", "LibriSpeech/train-clean-9/1/3/1-3-0001.flac")
    lost = [f"{chapter}/1-2-0001.flac", "LibriSpeech/dev-clean/1/3/1-3-0000.flac"]
    assert listed("librispeech", tmp_path) == (["1-2-0000"], dict.fromkeys(lost, "no_transcript"))


def test_common_voice(tmp_path: Path) -> None:
    head = "client_id\tpath\tsentence\n"
    write(tmp_path, **{"train.tsv": f"{head}s\ta.mp3\tHello\n", "other.tsv": f"{head}s\tb\tHi\n"})
    touch(tmp_path, "clips/a.mp3", "clips/b.mp3", "clips/c.mp3")
    assert listed("common_voice", tmp_path) == (["a"], {"clips/c.mp3": "no_transcript"})


def test_an4(tmp_path: Path) -> None:
    touch(tmp_path, "wav/f/x/a.wav", "wav/f/x/a.sph", "wav/f/x/b.raw", "wav/f/x/c.wav")
    write(tmp_path, **{"etc/an4_train.fileids": "f/x/a\n", "etc/an4_train.transcription": "YES (a)\nNO (gone)\n"})
    write(tmp_path, **{"etc/an4_test.fileids": "f/x/c\n", "etc/an4_test.transcription": "NO (c)\n"})
    assert listed("an4", tmp_path) == (["a", "c"], {"gone": "no_file", "wav/f/x/b.raw": "no_transcript"})


def test_fsdd(tmp_path: Path) -> None:
    touch(tmp_path, "recordings/0_george_0.wav", "recordings/zero.wav", "recordings/note.txt", "recordings/._1_a_0.wav")
    assert listed("fsdd", tmp_path) == (["0_george_0"], {"recordings/zero.wav": "no_transcript"})


def test_icdar(tmp_path: Path) -> None:
    write(tmp_path, **{"w/gt.txt": 'word_1.png, "One"\n', "w/more.txt": '\ufeffword_2.png, "Two"\nno line of it\n'})
    touch(tmp_path, "w/word_1.png", "w/word_2.png", "w/word_3.png", "elsewhere/word_4.png")
    assert listed("icdar", tmp_path, list="w/gt.txt") == (["w/word_1.png"], {"w/word_3.png": "no_transcript"})


def test_iiit5k(tmp_path: Path) -> None:
    for split in ("train", "test"):
        pairs = [(f"{split}/1_1.png", "ONE"), (f"{split}/1_3.png", "TWO")]
        words = np.array(pairs, [("ImgName", object), ("GroundTruth", object)])
        savemat(tmp_path / f"{split}data.mat", {f"{split}data": words})
        touch(tmp_path, f"{split}/1_1.png", f"{split}/1_2.png", f"{split}/1_3.png")
    lost = {"train/1_2.png": "no_transcript", "test/1_2.png": "no_transcript"}
    samples, rejections = listed("iiit5k", tmp_path)
    assert len(samples) == 4 and rejections == lost


def test_svt(tmp_path: Path) -> None:
    write(tmp_path, **{"test.tsv": "id\tpath\ttext\na\timg/a.jpg\tONE\n"})
    touch(tmp_path, "img/a.jpg", "img/b.jpg")
    assert listed("svt", tmp_path) == (["a"], {"img/b.jpg": "no_transcript"})


def test_fraktur(tmp_path: Path) -> None:
    lines = "id\tpath\ttext\tvolume\na\tlines/a.png\tEins\tv\n"
    write(tmp_path, **{"lines.tsv": lines, "volumes.tsv": "volume\nv\n"})
    touch(tmp_path, "lines/a.png", "lines/b.png")
    assert listed("fraktur", tmp_path) == (["a"], {"lines/b.png": "no_transcript"})


PAGE = '<PcGts><Page imageFilename="{name}"><TextLine id="l"><Coords points="0,0 9,9"/></TextLine></Page></PcGts>'
ALTO = (
    "<alto><Description><sourceImageInformation><fileName>{name}</fileName></sourceImageInformation></Description>"
    '<Layout><Page PHYSICAL_IMG_NR="1"><TextLine ID="l" HPOS="0" VPOS="0" WIDTH="9" HEIGHT="9"/></Page></Layout></alto>'
)


@pytest.mark.parametrize(("reader", "xml"), [("page_xml", PAGE), ("alto", ALTO)])
def test_pages(tmp_path: Path, reader: str, xml: str) -> None:
    write(tmp_path, **{"page/1.xml": xml.format(name="1.png"), "page/2.xml": xml.format(name="2.bin.png")})
    write(tmp_path, **{".old/3.xml": xml.format(name="3.png"), "page/._1.xml": "AppleDouble"})
    touch(tmp_path, "1.png", "1.bin.png", "2.bin.png", "2.png", "3.png", "._1.png", "thumbs/1.png")
    assert listed(reader, tmp_path) == (["page/1.xml#l", "page/2.xml#l"], {"3.png": "no_transcript"})


def alto(*pages: str | None) -> str:
    """A file with a line on each page, which has this PHYSICAL_IMG_NR, or none."""
    place = 'HPOS="0" VPOS="0" WIDTH="9" HEIGHT="9"'
    numbers = ["" if number is None else f'PHYSICAL_IMG_NR="{number}"' for number in pages]
    made = [f'<Page {number}><TextLine ID="{line}" {place}/></Page>' for line, number in enumerate(numbers)]
    return f"<alto><Layout>{''.join(made)}<Page><PrintSpace/></Page></Layout></alto>"


@given(st.lists(st.sampled_from([None, "1", "2"]), min_size=1, max_size=3))
def test_pages_of_several_pictures_in_one_file_are_refused(
    tmp_path_factory: pytest.TempPathFactory, numbers: Sequence[str | None]
) -> None:
    root = tmp_path_factory.mktemp("alto")
    write(root, **{"a.xml": alto(*numbers)})
    if len(numbers) == 1 or set(numbers) in ({"1"}, {"2"}):
        assert listed("alto", root)[0] == [f"a.xml#{place}" for place in range(len(numbers))]
    else:
        with pytest.raises(
            GlyphoneError, match=rf"a\.xml: {len(numbers)} pages with lines, PHYSICAL_IMG_NR (1, 2|.*none)"
        ):
            listed("alto", root)
