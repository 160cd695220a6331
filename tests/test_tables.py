"""Tables, manifests and folders: any line ending, BOM, quoting; every mistake named by file and line."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import GlyphoneError
from common.manifest import FolderSettings, ManifestSettings, read_folder, read_manifest
from common.tables import read_table, read_text

CELL = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp"), blacklist_characters="\ufeff\x85"))
SUFFIXES = frozenset({".png"})


@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("suffix", [".tsv", ".csv", ".jsonl", ".txt"])
def test_same_rows_from_every_form(tmp_path, bom, ending, suffix):
    rows = [{"path": "a.png", "text": "ein Wort"}, {"path": "b.png", "text": "ſüß"}]
    if suffix == ".jsonl":
        lines = [json.dumps(row) for row in rows]
    else:
        mark = "," if suffix == ".csv" else "\t"
        lines = [mark.join(rows[0]), *(mark.join(row.values()) for row in rows)]
    path = tmp_path / f"table{suffix}"
    path.write_bytes((bom + ending.join(lines) + ending).encode())
    assert list(read_table(path, required=("path", "text"))) == rows


@settings(max_examples=50)
@given(rows=st.lists(st.tuples(CELL, CELL).filter(lambda cells: any(cell.strip() for cell in cells)), max_size=5))
def test_tab_separated_cells_are_taken_literally(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("tables") / "table.tsv"
    path.write_text("a\tb\n" + "".join(f"{a}\t{b}\n" for a, b in rows), encoding="utf-8", newline="")
    assert [(row["a"], row["b"]) for row in read_table(path)] == rows


def test_quotation_marks(tmp_path):
    (tmp_path / "t.csv").write_text('path,text\na.png,"one, ""two"""\n')
    (tmp_path / "t.tsv").write_text('path\ttext\na.png\t"one\n')
    assert next(read_table(tmp_path / "t.csv"))["text"] == 'one, "two"'
    assert next(read_table(tmp_path / "t.tsv"))["text"] == '"one'


def test_semicolons_and_utf16(tmp_path):
    (tmp_path / "t.csv").write_text("path;text\na;b\n", encoding="utf-16")
    assert list(read_table(tmp_path / "t.csv")) == [{"path": "a", "text": "b"}]


def test_aliases_give_way_to_the_name_itself(tmp_path):
    (tmp_path / "t.tsv").write_text("Label\tText\nfrom label\tfrom text\n")
    assert next(read_table(tmp_path / "t.tsv", aliases={"label": "text"}))["text"] == "from text"
    (tmp_path / "t.tsv").write_text("Label\nfrom label\n")
    assert next(read_table(tmp_path / "t.tsv", aliases={"label": "text"}))["text"] == "from label"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.tsv", b"\npath\tlabels\na\tb\n", ("line 2", "'text'", "'labels'")),
        ("t.tsv", b"path\ttext\na\tb\nc\n", ("line 3", "1 cells", "2 columns")),
        ("t.tsv", b"path\ttext\na\t\xff\xfe\n", ("line 2", "UTF-8")),
        ("t.tsv", b"", ("empty table",)),
        ("t.tsv", b"path\tlabels\na\tb\n", ("line 1:", "'text'")),
        ("t.tsv", b"path\tlabels\n", ("line 1", "'text'", "'labels'")),
        ("t.csv", b"\n{}\n", ("line 2", "'path'", "'{}'")),
        ("t.tsv", b"path\ttext\tText\na\tb\tc\n", ("line 1", "twice")),
        ("t.csv", b'path,text\na,"b\n', ("line 2", "not a table")),
        ("t.jsonl", b'{"path": "a", "text": "b"}\n{"path"\n', ("line 2", "not JSON")),
        (
            "t.json",
            b'[\n  {"path": "a", "text": "b"}\n]\n',
            ("line 1", "not JSON", "each line must be one JSON object"),
        ),
        ("t.json", b'[{"path": "a", "text": "b"}]', ("line 1", "a JSON list", "each line must be one JSON object")),
        ("t.jsonl", b"[" * 100_000, ("line 1", "not JSON: nested too deep")),
        ("t.jsonl", b'["a"]\n', ("line 1", "list")),
    ],
)
def test_mistakes_are_named(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(GlyphoneError) as caught:
        list(read_table(path, required=("path", "text")))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert all(word in str(caught.value) for word in words)


def test_a_header_alone_is_a_table_without_rows(tmp_path):
    (tmp_path / "t.tsv").write_text("Label\tpath\n")
    assert list(read_table(tmp_path / "t.tsv", ("text", "path"), aliases={"label": "text"})) == []


def test_missing_file_is_named(tmp_path):
    with pytest.raises(GlyphoneError, match=r"no such file"):
        read_text(tmp_path / "gone.tsv")


def test_manifest_of_this_repository_names_files_below_the_root(tmp_path, monkeypatch):
    corpus, house = tmp_path / "corpus", tmp_path / "house"
    for folder in (corpus, house / "recipes"):
        folder.mkdir(parents=True)
    (house / "recipes" / "words.tsv").write_text("path\ttext\twhere\nwav/a.wav\there\t\n", "utf-8")
    monkeypatch.chdir(house)
    (only,) = read_manifest(ManifestSettings(manifest="recipes/words.tsv"), corpus, 0)
    assert (only.path, only.text) == ("wav/a.wav", "here")
    # One below the root goes before it, and its paths start at its own folder.
    (corpus / "recipes").mkdir()
    (corpus / "recipes" / "words.tsv").write_text("path\ttext\nb.wav\tthere\n", "utf-8")
    (only,) = read_manifest(ManifestSettings(manifest="recipes/words.tsv"), corpus, 0)
    assert (only.path, only.text) == ("recipes/b.wav", "there")
    with pytest.raises(GlyphoneError, match=r"corpus/none\.tsv: no such file"):
        list(read_manifest(ManifestSettings(manifest="none.tsv"), corpus, 0))


def test_manifest_columns(tmp_path):
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "m.tsv").write_text(
        "Image\tTranscript\tWriter\tSet\tx1\ty1\tx2\ty2\na.png\tHallo\tw1\tdev\t1\t2\t30\t40\n"
    )
    (sample,) = read_manifest(ManifestSettings(manifest="lists/m.tsv"), tmp_path, 0)
    assert (sample.path, sample.text, sample.group, sample.split) == ("lists/a.png", "Hallo", "w1", "validation")
    assert sample.box == (1, 2, 30, 40) and sample.start is None


def test_manifest_boxes_seconds_and_durations(tmp_path):
    rows = [
        {"path": "a", "text": "x", "box": [1, 2, 3, 4]},
        {"path": "a", "text": "x", "box": "5 6 7 8"},
        {"path": "a", "text": "x", "left": 1, "top": 1, "width": 2, "height": 3},
        {"path": "a", "text": "x", "start": 0.5, "end": 1.5},
        {"path": "a", "text": "x", "offset": "2", "duration": "3"},
    ]
    (tmp_path / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    samples = list(read_manifest(ManifestSettings(manifest="manifest.jsonl"), tmp_path, 0))
    assert [sample.box for sample in samples] == [(1, 2, 3, 4), (5, 6, 7, 8), (1, 1, 3, 4), None, None]
    assert [(sample.start, sample.end) for sample in samples[3:]] == [(0.5, 1.5), (2.0, 5.0)]
    assert len({sample.id for sample in samples}) == 5


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"split": "tset"}, "split 'tset'"),
        ({"start": "soon"}, "start must be seconds"),
        ({"end": "-1"}, "end must be seconds"),
        ({"box": "1,2,3"}, "box must be"),
        ({"box": "1,2,3,x"}, "edge of a box"),
        ({"text": ["a"]}, "text must be text"),
        ({"text": float("nan")}, "text must be text, not nan"),
        ({"speaker": float("nan")}, "group must be text, not nan"),
        ({"start": 10**400}, "start must be seconds"),
        ({"start": 1e308, "duration": 1e308}, "start must be seconds"),
        ({"top": 2, "right": 3, "bottom": 4}, "an edge of a box must be a number of pixels, not None"),
        ({"x": "", "y": 2, "width": 3, "height": 4}, "an edge of a box must be a number of pixels, not ''"),
        ({"box": "", "left": 1, "top": 2, "right": 3}, "an edge of a box must be a number of pixels, not None"),
    ],
)
def test_manifest_mistakes_name_the_line(tmp_path, row, words):
    (tmp_path / "m.jsonl").write_text(json.dumps({"path": "a", "text": "b"} | row) + "\n")
    with pytest.raises(GlyphoneError, match="line 1") as caught:
        list(read_manifest(ManifestSettings(manifest="m.jsonl"), tmp_path, 0))
    assert words in str(caught.value)


def test_a_flat_manifest_can_be_split(tmp_path):
    (tmp_path / "manifest.tsv").write_text("path\ttext\nimg/a.png\tx\nimg/b.png\ty\n")
    assert len({sample.group for sample in read_manifest(ManifestSettings(), tmp_path, 0)}) == 2
    (tmp_path / "manifest.tsv").write_text("path\ttext\tgroup\nimg/a.png\tx\tg\nimg/b.png\ty\tg\n")
    assert {sample.group for sample in read_manifest(ManifestSettings(), tmp_path, 0)} == {"g"}


def test_folder_of_files_and_transcripts(tmp_path):
    for name in ("train/w1/a", "dev/w2/b", "test/w3/c"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / f"{name}.png").write_bytes(b"")
        (tmp_path / f"{name}.txt").write_bytes("\ufeffText\r\n".encode())
    (tmp_path / "train/w1/lonely.png").write_bytes(b"")
    samples = list(read_folder(FolderSettings(), tmp_path, SUFFIXES))
    assert [(sample.group, sample.split, sample.text) for sample in samples] == [
        ("dev/w2", "validation", "Text"),
        ("test/w3", "test", "Text"),
        ("train/w1", "train", "Text"),
        ("train/w1", "train", ""),
    ]
    by_pattern = list(read_folder(FolderSettings(group_pattern=r"/(w\d)/"), tmp_path, SUFFIXES))
    assert {sample.group for sample in by_pattern} == {"w1", "w2", "w3"}


def test_folder_without_transcripts_is_an_error(tmp_path):
    (tmp_path / "b.txt").write_text("text")
    with pytest.raises(GlyphoneError, match=r"no files in it that end in .*\.png"):
        list(read_folder(FolderSettings(), tmp_path, SUFFIXES))
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(GlyphoneError, match="none of 1 file has a transcript"):
        list(read_folder(FolderSettings(), tmp_path, SUFFIXES))


@pytest.mark.parametrize("pattern", ["(", "no bracket"])
def test_group_pattern_is_checked(pattern):
    with pytest.raises(ValueError, match=r"regular expression|bracket"):
        FolderSettings(group_pattern=pattern)


def test_a_cell_of_several_lines_keeps_its_words_apart(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b'path,text\r\na.png,"hello\r\nworld"\r\nb.png,x\r\n')
    rows = list(read_table(tmp_path / "t.csv"))
    assert [row["text"].split() for row in rows] == [["hello", "world"], ["x"]]
    assert rows[1].where.endswith("line 4")
