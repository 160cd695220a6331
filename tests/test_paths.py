"""Paths of a corpus: none leads out of its folder, by letters or by links, whatever wrote them."""

import os
import unicodedata
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import SampleError
from common.paths import inside, missing, without_root

INSIDE = [
    "a.wav",
    "b/../a.wav",
    "./a.wav",
    "..a/b.wav",
    "a.zip!b/c.wav",
    "b\\c.wav",
    "take 12:30.wav",
    "b//c.wav",
    "...",
]
OUTSIDE = [
    "../a.wav", "/etc/a.wav", "b/../../a.wav", "..", "a\0.wav", "a.zip!../../b/../../c",
    "..\\a.wav", "b\\..\\..\\a.wav",
    "C:\\a.wav", "C:/a.wav", "\\\\host\\share\\a.wav", "b/../../corpus/a.wav",
]  # fmt: skip


@pytest.mark.parametrize("path", INSIDE)
def test_inside(tmp_path: Path, path: str) -> None:
    assert inside(tmp_path / "corpus", path) == tmp_path / "corpus" / path


@pytest.mark.parametrize("path", OUTSIDE)
def test_outside(tmp_path: Path, path: str) -> None:
    with pytest.raises(SampleError, match="leads out of the corpus folder") as caught:
        inside(tmp_path / "corpus", path)
    assert caught.value.code == "outside_corpus"


@settings(max_examples=200)
@given(st.lists(st.sampled_from(["..", ".", "a", "b", ""]), min_size=1, max_size=7))
def test_what_passes_lies_inside(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    root = tmp_path_factory.getbasetemp() / "corpus"
    path = "/".join(parts)
    normal = os.path.normpath(root / path)
    try:
        found = inside(root, path)
    except SampleError:
        depths = [
            sum(-1 if each == ".." else each in ("a", "b") for each in parts[:end]) for end in range(len(parts) + 1)
        ]
        assert min(depths) < 0 or PurePosixPath(path).is_absolute()
    else:
        assert Path(os.path.normpath(found)) == Path(normal)
        assert Path(normal).is_relative_to(root)


def test_links_are_followed(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    (root / "folder").mkdir(parents=True)
    (tmp_path / "secret").touch()
    (root / "within").symlink_to(root / "folder")
    assert inside(root, "within/a.wav") == root / "within/a.wav"
    (root / "out").symlink_to(tmp_path)
    for path in ("out/secret", "out", "within/../out/secret"):
        with pytest.raises(SampleError, match="a link out of the corpus folder") as caught:
            inside(root, path)
        assert caught.value.code == "outside_corpus"
    (tmp_path / "other name").symlink_to(root)  # the folder itself may be reached by a link
    assert inside(tmp_path / "other name", "folder/a.wav") == tmp_path / "other name" / "folder/a.wav"


def test_links_in_a_circle_are_no_crash(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert inside(tmp_path, "a") == tmp_path / "a"  # reading it then says what is wrong


def test_a_relative_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert inside(Path(), "a.wav") == Path("a.wav")
    with pytest.raises(SampleError):
        inside(Path(), "../a.wav")


@pytest.mark.parametrize(("there", "named"), [("NFC", "NFD"), ("NFD", "NFC")])
@pytest.mark.parametrize("room", ["audio", "ocr"])
def test_a_name_in_another_unicode_form_is_told(tmp_path: Path, room: str, there: str, named: str) -> None:
    """Both look alike in a listing and in the table; archives packed on another system have the other one."""
    read = __import__(f"{room}.reading", fromlist=["read"]).read
    (tmp_path / unicodedata.normalize(there, "naïve é.png")).write_bytes(b"x")
    path = tmp_path / unicodedata.normalize(named, "naïve é.png")
    if path.exists():
        pytest.skip("a file system to which both are one")
    with pytest.raises(SampleError, match=rf"alike in another Unicode form \({there}\)") as caught:
        read(path)
    assert caught.value.code == "missing_file"
    assert missing(str(tmp_path / "é.png")) == f"{tmp_path}/é.png: no such file"
    long = "é" * 120 + ".png"
    assert missing(str(tmp_path / long)).endswith(": no such file")


def test_sentences_are_the_same_wherever_a_corpus_lies() -> None:
    told = set()
    for root in (Path("/data/mine"), Path("/home/anna/my corpus")):
        told |= {
            without_root(f"{root}/a/b.wav: no such file", root, "radio"),
            without_root(f"'../x' leads out of the corpus folder {root}; only paths inside are read", root, "radio"),
        }
    assert told == {
        "a/b.wav: no such file",
        "'../x' leads out of the corpus folder radio; only paths inside are read",
    }
    for root in (Path("corpora/x"), Path(), Path("/")):
        assert without_root("/ corpora/x/a.wav: no such file", root, "radio") == "/ corpora/x/a.wav: no such file"


def test_backslashes_between_folders_are_named(tmp_path: Path) -> None:
    """A table of Windows: all its files were missing, and nothing said why."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.wav").touch()
    there = f"{tmp_path}/b/c.wav"
    assert missing(f"{tmp_path}/b\\c.wav").endswith(f"no such file; there is {there}: write / between folders")
    assert missing(f"{tmp_path}/b\\d.wav").endswith("d.wav: no such file")
