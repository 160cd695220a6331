"""Manifests and folders: whose column counts, which paths lead in, which files are groups."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import GlyphoneError
from common.manifest import FolderSettings, ManifestSettings, read_folder, read_manifest
from common.samples import Rejection, Sample
from common.splitting import split_corpus
from ocr.corpora import line_pairs
from ocr.modality import MODALITY
from pipelines.corpora import read_corpora
from pipelines.listing import DIGEST_LENGTH, listing

PNG = frozenset({".png"})


@pytest.mark.parametrize("header", ["path,sentence,normalized", "path,text,normalized", "path,normalized,text"])
def test_columns_that_the_settings_name_go_first(header: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(f"{header}\na.png,{','.join(header.split(',')[1:])}\n", encoding="utf-8")
    settings = ManifestSettings(manifest="m.csv", columns={"Normalized": "text"})
    assert [sample.text for sample in read_manifest(settings, tmp_path, 0)] == ["normalized"]


def test_a_column_that_the_settings_name_must_be_there(tmp_path: Path) -> None:
    """A speaker whose column was misspelled stood in two splits, and nothing was said."""
    (tmp_path / "m.csv").write_text("path,text,who\na.png,x,Anna\n", encoding="utf-8")
    (tmp_path / "m.jsonl").write_text('{"path": "a.png", "text": "x"}\n{"path": "b.png", "text": "x", "Who": "B"}\n')
    for table, group in (("m.csv", "Anna"), ("m.jsonl", "B")):
        settings = ManifestSettings(manifest=table, columns={"who": "group"})
        assert [sample.group for sample in read_manifest(settings, tmp_path, 0)][-1] == group
        settings = ManifestSettings(manifest=table, columns={"Hwo": "group"})
        with pytest.raises(GlyphoneError, match=rf"{table}: no column 'hwo', which the setting columns names"):
            list(read_manifest(settings, tmp_path, 0))
    for ours in ("speaker", "grup", ""):
        with pytest.raises(ValueError, match=rf"'{ours}' is no column of ours; there are bottom, box, duration, end, "):
            ManifestSettings(columns={"who": ours})


@pytest.mark.parametrize("name", ["/data/a\0/b.png", "/data/\ud800/b.png"])
def test_absolute_paths_that_no_file_can_have_stay_as_they_are(name: str, tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text(json.dumps({"path": name, "text": "x"}) + "\n", encoding="utf-8")
    (sample,) = read_manifest(ManifestSettings(manifest="m.jsonl"), tmp_path, 0)
    assert sample.path == name


def test_absolute_paths_lead_into_a_root_that_is_relative_or_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    for folder in (tmp_path / "house", real):
        folder.mkdir()
    link.symlink_to(real)
    (real / "a.png").touch()
    rows = f"path\ttext\n{real}/a.png\tx\n{link}/a.png\ty\n{tmp_path}/b.png\tz\n"
    (real / "manifest.tsv").write_text(rows, encoding="utf-8")
    monkeypatch.chdir(tmp_path / "house")
    for root in (real, link, Path("../real")):
        found = [sample.path for sample in read_manifest(ManifestSettings(), root, 0)]
        assert found == ["a.png", "a.png", f"{tmp_path}/b.png"]


def test_segments_of_a_long_recording_have_names_of_their_own(tmp_path: Path) -> None:
    rows = "".join(f"a.wav\t{start}\tx\n" for start in (12345.62, 12345.64, 0.07))
    (tmp_path / "manifest.tsv").write_text(f"path\tstart\ttext\n{rows}", encoding="utf-8")
    found = [sample.id for sample in read_manifest(ManifestSettings(), tmp_path, 0)]
    assert found == ["a.wav#12345.62", "a.wav#12345.64", "a.wav#0.07"]


def test_segments_that_begin_at_once_are_two_samples(tmp_path: Path) -> None:
    """The second of two speakers was rejected as a duplicate; the same row twice still is one."""
    rows = "".join(f"a.wav\t{start}\t{end}\tx\n" for start, end in ((0, 1), (0, 2.5), (3, ""), (3, 4), (0, 1)))
    (tmp_path / "manifest.tsv").write_text(f"path\tstart\tend\ttext\n{rows}", encoding="utf-8")
    found = [sample.id for sample in read_manifest(ManifestSettings(), tmp_path, 0)]
    assert found == ["a.wav#0", "a.wav#0-2.5", "a.wav#3", "a.wav#3-4", "a.wav#0"]


@pytest.mark.parametrize("reader", ["folder", "line_pairs"])
def test_files_right_in_the_folder_of_their_split_can_be_split(reader: str, tmp_path: Path) -> None:
    suffix = ".txt" if reader == "folder" else ".gt.txt"
    for name in [f"train/{n}" for n in range(20)] + [f"test/{n}" for n in range(5)]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.png").touch()
        (tmp_path / f"{name}{suffix}").write_text("x", encoding="utf-8")
    if reader == "folder":
        samples = list(read_folder(FolderSettings(), tmp_path, PNG))
    else:
        samples = list(line_pairs.read(line_pairs.LinePairsSettings(), tmp_path, 0))
    assert {sample.split for sample in split_corpus(samples, {}, 0.1, 0.1, 0)} == {"train", "validation", "test"}


def test_folders_within_a_split_stay_groups(tmp_path: Path) -> None:
    for name in ("train/anna/1", "train/anna/2", "train/bert/1", "test/carl/1"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.png").touch()
        (tmp_path / f"{name}.txt").write_text("x", encoding="utf-8")
    samples = read_folder(FolderSettings(), tmp_path, PNG)
    assert [sample.group for sample in samples] == ["test/carl", "train/anna", "train/anna", "train/bert"]


@pytest.mark.parametrize("suffix", ["txt", "_gt.txt"])
def test_any_ending_of_transcripts(suffix: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / f"a{suffix}").write_text("x", encoding="utf-8")
    found = read_folder(FolderSettings(text_suffix=suffix), tmp_path, PNG)
    assert [sample.text for sample in found] == ["x"]


@settings(max_examples=40)
@given(
    names=st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from([".png", ".PNG", ".heic", ".json", ".txt", ".heic.txt"])),
        min_size=1,
        unique=True,
    )
)
def test_every_file_with_a_transcript_is_a_sample_or_rejected(
    names: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("mixed")
    files = {"read.png", "read.txt", *(stem + ending for stem, ending in names)}
    for name in files:
        (folder / name).write_text("text", "utf-8")
    found = list(read_folder(FolderSettings(), folder, PNG))
    pictures = {name for name in files if name.lower().endswith(".png")}
    assert {each.id for each in found if isinstance(each, Sample)} == pictures
    expected = {
        name
        for name in files - pictures
        if not name.endswith(".txt")
        and {f"{name[0]}.txt", f"{name}.txt"} & files
        and not {f"{name[0]}.png", f"{name[0]}.PNG"} & files
    }
    texts = {name for name in files if name.endswith(".txt")}
    known = (files - texts) | {Path(name).stem for name in files - texts}
    lone = {name for name in texts if name.removesuffix(".txt") not in known}
    rejections = [each for each in found if isinstance(each, Rejection)]
    assert len(rejections) == len(expected) + len(lone)
    assert {each.id for each in rejections if each.code == "no_file"} == lone
    rejected = [each for each in rejections if each.code != "no_file"]
    assert {each.id for each in rejected} == expected
    assert all(each.code == "unreadable" and each.sentence.endswith("is read: .png") for each in rejected)


@pytest.mark.parametrize(
    ("header", "cells", "expected"),
    [
        ("start_time,end_time", "1.5,2.5", (1.5, 2.5, None)),
        ("xmin,ymin,xmax,ymax", "1,2,30,40", (None, None, (1, 2, 30, 40))),
        ("x,y,w,h", "1,2,30,40", (None, None, (1, 2, 31, 42))),
        ("x,y,width,height", "1,2,30,40", (None, None, (1, 2, 31, 42))),
    ],
)
def test_times_and_boxes_by_other_names_cut_as_well(
    header: str, cells: str, expected: tuple[object, ...], tmp_path: Path
) -> None:
    (tmp_path / "m.csv").write_text(f"id,path,text,{header}\ni,a,x,{cells}\n", "utf-8")
    (sample,) = read_manifest(ManifestSettings(manifest="m.csv"), tmp_path, 0)
    assert (sample.start, sample.end, sample.box) == expected


def test_line_pairs_whose_pictures_end_in_capitals(tmp_path: Path) -> None:
    for name in ("a.PNG", "b.Jpg", "c.PNG", "c.png", "d.nrm.TIF"):
        (tmp_path / name).touch()
        (tmp_path / f"{name[0]}.gt.txt").write_text("x", encoding="utf-8")
    found = [sample.path for sample in line_pairs.read(line_pairs.LinePairsSettings(), tmp_path, 0)]
    assert found == ["a.PNG", "b.Jpg", "c.png", "d.nrm.TIF"]


@pytest.mark.parametrize("suffix", ["", "/a.txt", "/../a.txt"])
def test_endings_are_of_names(suffix: str) -> None:
    for reader, key in (
        (FolderSettings, "text_suffix"),
        (line_pairs.LinePairsSettings, "text_suffix"),
        (line_pairs.LinePairsSettings, "other_text_suffix"),
    ):
        with pytest.raises(ValueError, match=key):
            reader(**{key: suffix})


def test_a_name_that_is_not_utf8_is_one_line(tmp_path: Path) -> None:
    for end in (b".png", b".txt"):
        with open(os.fsencode(tmp_path) + b"/M\xfcller" + end, "wb") as file:
            file.write(b"x")
    assert len(listing(tmp_path)) == DIGEST_LENGTH
    corpus = SimpleNamespace(name="mine", reader="folder", own=FolderSettings())
    with pytest.raises(GlyphoneError, match=r"corpus mine: id 'M\\udcfcller\.png' is no Unicode text") as caught:
        list(read_corpora(MODALITY, (corpus,), {"mine": tmp_path}, 0))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
