"""Made pictures in the fonts of a folder: for scripts and prints that no package has."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from common.errors import GlyphoneError
from ocr import fonts
from ocr.corpora.synthetic import READER, SyntheticSettings
from ocr.own_fonts import own_families
from ocr.synthesis import synthesise


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four families: a file each of two, and two folders, one of them with two faces."""
    found = tmp_path / "my fonts [old]"
    for target, key in {
        "Abel.ttf": fonts.keys("abel")[0],
        "viga.TTF": fonts.keys("viga")[0],
        "print/Arvo.ttf": fonts.keys("arvo")[0],
        "print/deep/Lora.ttf": fonts.keys("arvo")[1],
        "print/deep/Sanchez.otf": fonts.keys("sanchez")[0],
    }.items():
        (found / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(fonts.file(key), found / target)
    (found / "OFL.txt").write_text("a licence is no font")
    (found / "._Abel.ttf").write_bytes(b"of macOS")
    return found


def test_folders_and_lone_files_are_families(folder):
    found = own_families(str(folder))
    assert {family: [Path(key).name for key in keys] for family, keys in found.items()} == {
        "Abel": ["Abel.ttf"],
        "print": ["Arvo.ttf"],
        "print/deep": ["Lora.ttf", "Sanchez.otf"],
        "viga": ["viga.TTF"],
    }
    held_out = frozenset({"validation", "test"})
    splits = {split: set(fonts.faces_of_split(split, held_out, folder=str(folder))) for split in ("train", "test")}
    assert splits == {"train": {"Abel", "print", "print/deep"}, "test": {"viga"}}


def test_pictures_are_drawn_in_them(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    chosen = SyntheticSettings(fonts=folder.name, num_train=40, num_validation=0, num_test=0)
    samples = list(READER.read(chosen, Path(), 1))
    assert {each.group for each in samples} == {f"font/{family}" for family in own_families(str(folder))}
    assert {each.licence for each in samples} == {"rendered in own fonts"} and {each.split for each in samples} == {
        "train"
    }
    monkeypatch.chdir(folder)  # as in a worker or another day: the paths say where the fonts are
    for each in samples[:5]:
        assert synthesise(each).shape[0] > 8
        assert np.array_equal(synthesise(each), synthesise(each))
    given = READER.recipe(chosen, 1, "a", "given text")
    assert given.text.lower() == "given text" and str(folder) in given.path


def test_mistakes_are_named(folder, tmp_path):
    with pytest.raises(GlyphoneError, match=r"fonts: .*nowhere: no such folder"):
        own_families(str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(GlyphoneError, match=r"fonts: .*empty: no files in it that end in .otf, .ttf"):
        own_families(str(tmp_path / "empty"))
    with pytest.raises(GlyphoneError, match=r"no font family of .* is left for validation"):
        list(READER.read(SyntheticSettings(fonts=str(folder)), Path(), 1))
    with pytest.raises(ValidationError, match="font_styles are those of the packages"):
        SyntheticSettings(fonts=str(folder), font_styles=("sans",))
    key = own_families(str(folder))["Abel"][0]
    Path(key).unlink()
    with pytest.raises(GlyphoneError, match=r"Abel.ttf: no such file"):
        fonts.file(key)
    Path(key).write_bytes(b"nothing of a font")
    own_families.cache_clear()
    with pytest.raises(GlyphoneError, match=r"fonts: .*Abel.ttf: not a font that can be read"):
        own_families(str(folder))
