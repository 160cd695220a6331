"""Words of known transcripts: where they stand, in which file, and what happens to those that cannot be aligned."""

import io
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.alphabet import Alphabet
from common.archive import write_zip
from common.bundle import write_bundle
from common.errors import GlyphoneError, SampleError
from common.manifest import ManifestSettings, read_manifest
from common.network import Network, NetworkSettings
from pipelines import align
from pipelines.align import align_table, words_of
from pipelines.modalities import modality

ALPHABET = Alphabet(" abc")
RATE_HZ = 8000


def peaked(frames: list[int], num_labels: int = len(ALPHABET)) -> np.ndarray:
    """Emissions float32 [T, V] that write the label of each frame with probability 0.9."""
    probabilities = np.full((len(frames), num_labels), 0.1 / (num_labels - 1), np.float32)
    probabilities[np.arange(len(frames)), frames] = 0.9
    return np.log(probabilities)


@settings(max_examples=80)
@given(
    text=st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=4).map(" ".join),
    data=st.data(),
    margin=st.floats(0, 50),
)
def test_words_stand_around_their_characters_and_apart(text: str, data: st.DataObject, margin: float) -> None:
    frames: list[int] = [0] * data.draw(st.integers(0, 5))
    spans: list[tuple[int, int]] = []
    for label in ALPHABET.encode(text):
        start = len(frames)
        frames += [label] * data.draw(st.integers(1, 3))
        spans.append((start, len(frames)))
        frames += [0] * data.draw(st.integers(1, 6))
    found = words_of(peaked(frames), text, ALPHABET, margin)
    assert " ".join(word.text for word in found) == text
    assert all(0 <= word.start < word.end <= len(frames) for word in found)
    assert all(before.end <= behind.start for before, behind in itertools.pairwise(found))
    at = 0
    for word in found:
        first, last = spans[at], spans[at + len(word.text) - 1]
        assert first[0] - margin <= word.start <= first[0] and last[1] <= word.end <= last[1] + margin
        assert word.confidence == pytest.approx(0.9, abs=1e-4)
        at += len(word.text) + 1


@pytest.mark.parametrize(("text", "code"), [("", "empty_text"), ("axb", "unreadable"), ("abcabc", "too_few_slices")])
def test_what_cannot_be_aligned(text: str, code: str) -> None:
    with pytest.raises(SampleError) as caught:
        words_of(peaked([1, 2, 3]), text, ALPHABET, 1)
    assert caught.value.code == code


def write_model(folder: Path, name: str) -> Path:
    kind = modality(name)
    torch.manual_seed(0)
    chosen = NetworkSettings.model_validate(
        {"convolutions": [{"channels": 4, "stride": [2, 2]}], "num_layers": 1, "num_hidden": 8}
    )
    front = kind.SliceSettings()
    num_features = kind.num_features(front)
    description = {
        "modality": name,
        "alphabet": list(ALPHABET.symbols),
        "slice_settings": front.model_dump(mode="json"),
        "text_settings": {"case": "lower"},
        "num_features": num_features,
        "step": kind.step(front),
        "unit": kind.unit,
        "summary": {},
    }
    network = Network(chosen, num_features, len(ALPHABET))
    write_bundle(folder, network.state_dict(), chosen, description, "# Random\n")
    return folder


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """A corpus of two recordings: of the first a cut, of the second all; and rows that cannot be used."""
    noise = np.random.default_rng(0).normal(size=3 * RATE_HZ) * 0.1
    soundfile.write(tmp_path / "one.wav", noise, RATE_HZ)
    soundfile.write(tmp_path / "two.wav", noise[: 2 * RATE_HZ], RATE_HZ)
    (tmp_path / "table.tsv").write_text(
        "path\ttext\tspeaker\tsplit\tstart\tend\n"
        "one.wav\tAB ca b\tann\ttrain\t1.5\t2.75\n"
        "two.wav\tabc\tbob\tdev\t\t\n"
        "two.wav\txyz\tbob\tdev\t0.5\t1\n"
        "none.wav\tabc\tbob\tdev\t\t\n",
        "utf-8",
    )
    return tmp_path


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipelines.align", *map(str, arguments)], capture_output=True, encoding="utf-8"
    )


def test_speech_to_a_manifest_of_words(speech: Path) -> None:
    model = write_model(speech / "model", "audio")
    done = command(model, speech / "table.tsv", "-o", speech / "words.tsv")
    assert done.returncode == 1, done.stderr
    named = [line for line in done.stderr.splitlines() if line.startswith("not aligned: ")]
    assert len(named) == 2 and "'x', 'y', 'z'" in named[0] and "none.wav" in named[1]
    assert "4 words, 2 samples not aligned" in done.stderr
    words = list(read_manifest(ManifestSettings(manifest="words.tsv"), speech, 0))
    assert [(word.path, word.text, word.group, word.split) for word in words] == [
        ("one.wav", "ab", "ann", "train"),
        ("one.wav", "ca", "ann", "train"),
        ("one.wav", "b", "ann", "train"),
        ("two.wav", "abc", "bob", "validation"),
    ]
    times = [(word.start, word.end) for word in words[:3]]
    assert times[0][0] >= 1.5 and times[2][1] <= 2.75
    assert all(start < end for start, end in times)
    assert all(before[1] <= behind[0] for before, behind in itertools.pairwise(times))
    assert 0 <= words[3].start < words[3].end <= 2
    archive = speech / "model.zip"
    write_zip(archive, "model", {path.name: path.read_bytes() for path in model.iterdir()})
    rows, reasons = align_table(archive, speech / "table.tsv", set(), None, 0.0)
    assert ["\t".join(row) for row in rows] == (speech / "words.tsv").read_text("utf-8").splitlines()
    assert len(reasons) == 2


def test_the_transcripts_are_not_written_over_and_a_folder_or_another_one_is_said(speech: Path) -> None:
    model, table = write_model(speech / "model", "audio"), speech / "table.tsv"
    before = table.read_bytes()
    folder = command("no-model", table, "-o", speech)  # told before any work
    assert folder.returncode == 2 and f"-o {speech}: a folder; name a file" in folder.stderr
    done = command(model, table, "-o", speech / "model" / ".." / "table.tsv")
    assert done.returncode == 2 and "is TABLE itself" in done.stderr
    assert table.read_bytes() == before
    elsewhere = command(model, table, "-o", speech / "model" / "words.tsv").stderr
    assert f"start at {speech}, not at its folder" in elsewhere
    assert "not at its folder" not in command(model, table, "-o", speech / "words.tsv").stderr


def test_what_a_table_by_tabs_cannot_hold_is_told(speech: Path) -> None:
    model = write_model(speech / "model", "audio")
    done = command(model, speech / "table.tsv", "-o", speech / "words.csv")
    assert done.returncode == 2 and "words.csv: cells are parted by tabs" in done.stderr
    table = speech / "table.csv"
    table.write_text('path,text,group\none.wav,abc,"a\tb"\ntwo.wav,abc,b\n', "utf-8")
    rows, reasons = align_table(model, table, set(), None, 0.0)
    assert [row[0] for row in rows] == ["path", "two.wav"]
    assert reasons == {"one.wav": "its path, group or licence holds a tab or line end, which parts cells"}


def test_a_table_of_the_same_name_elsewhere_is_not_taken(speech: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = write_model(speech / "model", "audio")
    monkeypatch.chdir(speech)
    with pytest.raises(GlyphoneError, match=r"model/table.tsv: no such file"):
        align_table(model, model / "table.tsv", set(), None, 0.0)


def test_only_some_words_and_the_sure_ones(speech: Path) -> None:
    model = write_model(speech / "model", "audio")
    rows, _ = align_table(model, speech / "table.tsv", {"ca", "abc"}, None, 0.0)
    header, *found = rows
    text, confidence = header.index("text"), header.index("confidence")
    assert [row[text] for row in found] == ["ca", "abc"]
    between = (float(found[0][confidence]) + float(found[1][confidence])) / 2
    sure, _ = align_table(model, speech / "table.tsv", {"ca", "abc"}, None, between)
    assert len(sure) == 2 and float(sure[1][confidence]) >= between


def test_text_images_to_boxes(tmp_path: Path) -> None:
    from PIL import Image

    pixels = np.random.default_rng(1).integers(0, 256, (60, 400), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "line.png")
    (tmp_path / "table.tsv").write_text("path\ttext\tbox\nline.png\tab c\t100,10,300,50\n", "utf-8")
    model = write_model(tmp_path / "model", "ocr")
    done = command(model, tmp_path / "table.tsv", "-o", tmp_path / "words.tsv")
    assert done.returncode == 0, done.stderr
    first, second = read_manifest(ManifestSettings(manifest="words.tsv"), tmp_path, 0)
    assert (first.text, second.text) == ("ab", "c")
    assert first.box and second.box
    assert 100 <= first.box[0] < first.box[2] <= second.box[0] < second.box[2] <= 300
    assert first.box[1::2] == second.box[1::2] == (10, 50)


@pytest.mark.parametrize("margin", [0, 0.25, 10])
@pytest.mark.parametrize("name", ["audio", "ocr"])
def test_words_of_a_line_stand_apart_and_none_is_empty(tmp_path: Path, name: str, margin: float) -> None:
    """Also where places are rounded, and where the last step begins in the last millisecond of the sound."""
    from PIL import Image

    generator = np.random.default_rng(1)
    soundfile.write(tmp_path / "file.wav", generator.normal(size=3201) * 0.1, RATE_HZ)
    Image.fromarray(generator.integers(0, 256, (20, 36), np.uint8)).save(tmp_path / "file.png")
    file, text = {"audio": ("file.wav", "a b c a b c a b c a b"), "ocr": ("file.png", "a b c a b c a b")}[name]
    (tmp_path / "table.tsv").write_text(f"path\ttext\n{file}\t{text}\n", "utf-8")
    (header, *rows), reasons = align_table(write_model(tmp_path, name), tmp_path / "table.tsv", set(), margin, 0.0)
    assert not reasons and " ".join(row[header.index("text")] for row in rows) == text
    first, last = {"audio": ("start", "end"), "ocr": ("left", "right")}[name]
    places = [(float(row[header.index(first)]), float(row[header.index(last)])) for row in rows]
    assert all(start < end for start, end in places)
    assert all(before[1] <= behind[0] for before, behind in itertools.pairwise(places))
    assert places[0][0] >= 0 and places[-1][1] <= {"audio": 3201 / RATE_HZ, "ocr": 36}[name]


@pytest.mark.parametrize(("margin", "confidence", "sentence"), [(-1, 0, "--margin -1"), (1, 2, "--min-confidence 2")])
def test_numbers_that_cannot_be(speech: Path, margin: float, confidence: float, sentence: str) -> None:
    model = write_model(speech / "model", "audio")
    with pytest.raises(GlyphoneError, match=sentence):
        align_table(model, speech / "table.tsv", set(), margin, confidence)


def test_no_model_and_no_table(speech: Path) -> None:
    for arguments in (("nowhere", speech / "table.tsv"), (write_model(speech / "model", "audio"), "nowhere.tsv")):
        done = command(*arguments)
        assert done.returncode == 2 and done.stderr.startswith("error: nowhere"), done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_standard_output_is_utf_8_whatever_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "argv", ["align", "model", str(tmp_path / "table.tsv")])
    monkeypatch.setattr(sys, "stdout", written)
    monkeypatch.setattr(align, "align_table", lambda *_: ([["path", "text"], ["a.wav", "שלום"]], {}))
    assert align.main() == 0
    written.flush()
    assert written.buffer.getvalue().decode("utf-8") == "path\ttext\na.wav\tשלום\n"
