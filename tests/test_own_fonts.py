"""Made pictures in the fonts of a folder: for scripts and prints that no package has."""

import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from common.errors import GlyphoneError
from common.samples import Sample
from ocr import fonts, synthesis, typesetting
from ocr.corpora.synthetic import READER, SyntheticSettings
from ocr.glyphs import characters, shown
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


def _font(path: Path, letters: dict[str, str], **changed: bytes) -> Path:
    """Abel, in which each of the letters is drawn as another one; ``changed`` are whole tables."""
    data = fonts.file(fonts.keys("abel")[0]).read_bytes()
    rows = [struct.unpack_from(">4s3L", data, 12 + 16 * each) for each in range(struct.unpack_from(">H", data, 4)[0])]
    tables = {tag.decode(): data[offset : offset + size] for tag, _, offset, size in rows}
    numbers = _numbers(tables["cmap"])
    groups = b"".join(struct.pack(">3L", ord(each), ord(each), numbers[shape]) for each, shape in letters.items())
    header = struct.pack(">HHHHL", 0, 1, 3, 10, 12) + struct.pack(">HHLLL", 12, 0, 16 + len(groups), 0, len(letters))
    tables |= {"cmap": header + groups, **changed}
    place, table, body = 12 + 16 * len(tables), b"", b""
    for tag in sorted(tables):
        table += struct.pack(">4s3L", tag.encode(), 0, place + len(body), len(tables[tag]))
        body += tables[tag] + bytes(-len(tables[tag]) % 4)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(struct.pack(">L4H", 0x10000, len(tables), 128, 3, 16) + table + body)
    return path


def _numbers(cmap: bytes) -> dict[str, int]:
    """Glyphs by character, of a subtable of format 4 without ranges of glyphs."""
    start = struct.unpack_from(">L", cmap, 8)[0]
    count = struct.unpack_from(">H", cmap, start + 6)[0] // 2
    ends, starts, deltas = (
        struct.unpack_from(f">{count}H", cmap, start + 14 + place) for place in (0, 2 * count + 2, 4 * count + 2)
    )
    return {
        chr(code): (code + delta) % 0x10000
        for end, first, delta in zip(ends, starts, deltas, strict=True)
        for code in range(first, end + 1)
    }


ASCII = "".join(map(chr, range(32, 127)))
ALONE = {"num_train": 30, "num_validation": 0, "num_test": 0}


def _drawn(file: Path, **settings: object) -> list[str]:
    """Texts of made pictures, each of which is drawn."""
    chosen = SyntheticSettings(fonts=str(file.parent), **{**ALONE, **settings})
    samples = list(READER.read(chosen, Path(), 1))
    assert all(synthesise(each).size > 1 for each in samples)
    return [each.text for each in samples]


def test_a_name_with_brackets_is_no_variable_font(tmp_path):
    assert all(_drawn(_font(tmp_path / "one" / "Old Print [draft].ttf", dict(zip(ASCII, ASCII, strict=True)))))


def test_letters_that_a_font_lacks_are_in_no_text(tmp_path):
    capitals = {each: each for each in ASCII if not each.islower()}
    cut_out = {each: " " if each.islower() else each for each in ASCII}  # named, and empty
    for name, letters in (("capitals", capitals), ("cut_out", cut_out)):
        texts = _drawn(_font(tmp_path / name / "font.ttf", letters))
        assert len(texts) == 30 and all(texts) and not any(map(str.islower, "".join(texts)))
        assert READER.recipe(SyntheticSettings(fonts=str(tmp_path / name), **ALONE), 1, "a", "A ball").text == "A"


def test_a_text_in_capitals_for_both_cases_is_one_in_capitals(tmp_path):
    both = _font(tmp_path / "both" / "font.ttf", {each: each.upper() for each in ASCII})
    texts = _drawn(both)
    assert texts == [each.upper() for each in texts]
    plain = _drawn(_font(tmp_path / "plain" / "font.ttf", {each: each for each in ASCII}))
    assert [each.upper() for each in plain] == texts != plain
    assert READER.recipe(SyntheticSettings(fonts=str(both.parent), **ALONE), 1, "a", "A ball").text == "A BALL"


def test_a_font_of_another_script_or_without_outlines_is_named(tmp_path):
    runic = _font(tmp_path / "runic" / "font.ttf", {"\u16a0": "F", "\u16a2": "U"})
    broken = _font(tmp_path / "broken" / "font.ttf", dict(zip(ASCII, ASCII, strict=True)), glyf=b"\1" * 80_000)
    for file in (runic, broken):
        with pytest.raises(GlyphoneError, match=rf"^fonts: {file.parent}: no face for train has one of the characters"):
            _drawn(file)
    assert READER.recipe(SyntheticSettings(fonts=str(runic.parent), **ALONE), 1, "a", "\u16a0\u16a2").text
    with pytest.raises(GlyphoneError, match="no text of kind words can be made of the characters '0123456789 '"):
        _drawn(_font(tmp_path / "digits" / "font.ttf", {each: each for each in "0123456789"}))


def test_a_table_of_characters_that_is_cut_off_names_none(tmp_path):
    file = _font(tmp_path / "cut" / "font.ttf", {}, cmap=struct.pack(">HHHHL", 0, 1, 3, 10, 0x7FFFFFF0))
    assert characters(str(file)) == frozenset() and shown("a", str(file)) is None


def test_marks_that_a_font_lacks_are_not_drawn_as_boxes(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(synthesis, "ink", lambda text, *others: drawn.append(text) or typesetting.ink(text, *others))
    letters = _font(tmp_path / "letters" / "font.ttf", {each: each for each in ASCII if each.isalnum() or each == "."})
    made = synthesis.path(1, "scene+marks", "keep", str(letters))
    for marked in ("Text.", "Text!", "Text...", "(Text)"):
        monkeypatch.setattr(synthesis, "_with_marks", lambda text, random, marked=marked: marked)
        synthesise(Sample("a", made, "Text", "", "train"))
    assert drawn == ["Text.", "Text", "Text...", "Text"]


@pytest.mark.parametrize("share", [float("inf"), float("nan"), 1e308])
def test_shares_are_numbers_that_add_up(share):
    with pytest.raises(ValidationError, match="words"):
        SyntheticSettings(words=share)
