"""Transcribing into the formats of other tools: a file for each input, names, going on, and what is refused."""

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
import srt
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.bundle import write_bundle
from common.calibration import Scale
from common.errors import GlyphoneError
from common.network import Network, NetworkSettings
from common.output import FORMATS
from common.writers import WRITERS, Transcript
from pipelines import outputs, transcribe
from pipelines.modalities import modality
from pipelines.outputs import choose_format
from pipelines.recogniser import Recogniser

RATE_HZ = 8000


def random_model(folder, name):
    """A model folder of a modality with random weights, steep enough to write many different letters."""
    kind = modality(name)
    torch.manual_seed(3)
    settings = NetworkSettings.model_validate(
        {"convolutions": [{"channels": 4, "stride": [2, 2]}], "num_layers": 1, "num_hidden": 12}
    )
    slice_settings = kind.SliceSettings()
    network = Network(settings, kind.num_features(slice_settings), 9)
    network.head.weight.data *= 30
    description = {
        "modality": name,
        "alphabet": list(" abcdefg"),
        "slice_settings": slice_settings.model_dump(mode="json"),
        "text_settings": {},
        "num_features": kind.num_features(slice_settings),
        "step": kind.step(slice_settings),
        "unit": kind.unit,
        "summary": {},
    }
    write_bundle(folder, network.state_dict(), settings, description, "# Random\n")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return random_model(tmp_path_factory.mktemp("audio"), "audio")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    for place, name in enumerate(["one.wav", "a/x.wav", "b/x.wav"]):
        (folder / name).parent.mkdir(exist_ok=True)
        noise = np.random.default_rng(place).normal(size=RATE_HZ * (place + 1)) * 0.1
        soundfile.write(folder / name, noise, RATE_HZ)
    return folder


def call(*arguments):
    return transcribe.main([*map(str, arguments), "--quiet"])


def files_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.name.startswith("."))


def test_each_input_has_a_file_where_it_stands_itself(model, sounds, tmp_path):
    assert call(model, sounds, "-f", "srt", "-o", tmp_path) == 0
    assert files_in(tmp_path) == ["a", "a/x.srt", "b", "b/x.srt", "one.srt"]
    recogniser = Recogniser.load(model)
    for name in ("one", "a/x", "b/x"):
        said = recogniser.transcribe(sounds / f"{name}.wav").text
        cues = srt.parse((tmp_path / f"{name}.srt").read_text(encoding="utf-8"))
        assert said and " ".join(cue.content for cue in cues).split() == said.split()


@pytest.mark.parametrize("form", [*WRITERS["s"], "TextGrid"])
def test_files_hold_what_the_writer_writes(model, sounds, tmp_path, form, capfdbinary):
    sound = sounds / "one.wav"
    writer = WRITERS["s"][form.lower()]
    hypothesis = Recogniser.load(model).transcribe(sound)
    expected = writer.write(Transcript(str(sound), "one", hypothesis, 1.0))
    output = tmp_path / f"out{writer.suffix}"
    assert call(model, sound, "-f", form, "-o", output) == 0
    assert output.read_text(encoding="utf-8") == expected
    capfdbinary.readouterr()
    assert call(model, sound, "-f", form) == 0
    assert capfdbinary.readouterr().out.decode("utf-8") == expected


@pytest.mark.parametrize("form", WRITERS["px"])
def test_pictures_are_boxes_in_their_own_pixels(tmp_path, form):
    folder = random_model(tmp_path / "ocr", "ocr")
    picture = np.random.default_rng(0).integers(0, 255, (57, 400), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "line <1>.png"), picture)
    assert call(folder, tmp_path / "line <1>.png", "-f", form, "-o", tmp_path / "out") == 0
    text = (tmp_path / "out" / f"line <1>{WRITERS['px'][form].suffix}").read_text(encoding="utf-8")
    assert "400" in text and "57" in text and "line &lt;1&gt;.png" in text
    with pytest.raises(GlyphoneError, match="'srt': this model's are txt, jsonl, csv, alto, hocr, page"):
        call(folder, tmp_path / "line <1>.png", "-f", "srt")
    with pytest.raises(GlyphoneError, match="may be alto or page; say which"):
        call(folder, tmp_path / "line <1>.png", "-o", tmp_path / "line.xml")


def test_it_goes_on_and_spares_what_is_not_its_own(model, sounds, tmp_path, monkeypatch):
    output = tmp_path / "out"
    assert call(model, sounds / "one.wav", sounds / "a", "-f", "vtt", "-o", output) == 0
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*.vtt")}
    seen = []
    real = Recogniser.transcribe_all
    monkeypatch.setattr(
        Recogniser, "transcribe_all", lambda self, paths, size: (seen.extend(paths), real(self, paths, size))[1]
    )
    assert call(model, sounds, "-f", "vtt", "-o", output) == 0
    assert seen == [str(sounds / "b/x.wav")]
    (output / "a/x.vtt").unlink()
    assert call(model, sounds, "-f", "vtt", "-o", output) == 0
    assert seen[1:] == [str(sounds / "a/x.wav")]
    assert before[output / "one.vtt"] == (output / "one.vtt").stat().st_mtime_ns
    with pytest.raises(GlyphoneError, match="begun with engine greedy, now it is beam 4"):
        call(model, sounds, "-f", "vtt", "-o", output, "--engine", "beam", "--beam-width", 4)
    mine = tmp_path / "mine" / "one.srt"
    mine.parent.mkdir()
    mine.write_text("my own subtitles", encoding="utf-8")
    with pytest.raises(GlyphoneError, match=r"one\.srt: exists, and was not written by this command"):
        call(model, sounds, "-f", "srt", "-o", mine.parent)
    assert mine.read_text(encoding="utf-8") == "my own subtitles"
    assert [path.name for path in mine.parent.iterdir()] == ["one.srt"]  # and no account of what was not written
    assert call(model, sounds, "-f", "srt", "-o", mine.parent, "--restart") == 0
    assert mine.read_text(encoding="utf-8").startswith("1\n")


def test_killed_between_account_and_file_it_writes_the_file(model, sounds, tmp_path, monkeypatch):
    def killed(path, text):
        raise KeyboardInterrupt

    monkeypatch.setattr(outputs, "write_text", killed)
    with pytest.raises(KeyboardInterrupt):
        call(model, sounds, "-f", "srt", "-o", tmp_path)
    monkeypatch.undo()
    assert files_in(tmp_path) == []
    assert call(model, sounds, "-f", "srt", "-o", tmp_path) == 0
    assert len(files_in(tmp_path)) == 5


def test_a_changed_input_is_written_anew(model, sounds, tmp_path):
    sound = tmp_path / "sound.wav"
    texts = []
    for name in ("one.wav", "b/x.wav"):
        sound.write_bytes((sounds / name).read_bytes())
        assert call(model, sound, "-o", tmp_path / "sound.srt") == 0
        texts.append((tmp_path / "sound.srt").read_text(encoding="utf-8"))
    assert texts[0] != texts[1]


def test_tables_name_their_inputs_and_go_on(model, sounds, tmp_path):
    output = tmp_path / "all.trn"
    assert call(model, sounds, "-o", output) == 0
    assert [line.rpartition(" ")[2] for line in output.read_text("utf-8").splitlines()] == ["(one)", "(a/x)", "(b/x)"]
    whole = output.read_bytes()
    assert call(model, sounds, "-o", output) == 0
    assert output.read_bytes() == whole
    with pytest.raises(GlyphoneError, match="begun with format trn, now it is ctm"):
        call(model, sounds, "-f", "ctm", "-o", output)


def test_names_that_are_not_distinct(model, sounds, tmp_path):
    paths = []
    for name in ("x.wav", "x.WAV", "x y.wav", "x_y.wav"):
        paths.append(tmp_path / name)
        paths[-1].write_bytes((sounds / "one.wav").read_bytes())
    with pytest.raises(GlyphoneError, match=r"x\.wav and .*x\.WAV would both be called 'x'"):
        call(model, *paths[:2], "-f", "srt", "-o", tmp_path / "out")
    with pytest.raises(GlyphoneError, match="would both be called 'x_y'"):
        call(model, *paths[2:], "-f", "ctm", "-o", tmp_path / "out.ctm")
    assert call(model, *paths[2:], "-f", "srt", "-o", tmp_path / "out") == 0
    # The same file by two names is the same file.
    assert call(model, paths[0], tmp_path / "." / "x.wav", f"{tmp_path}/../{tmp_path.name}/x.wav", "-f", "trn") == 0


def test_a_name_that_is_no_text(model, sounds, tmp_path):
    sound = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav")
    try:
        Path(sound).write_bytes((sounds / "one.wav").read_bytes())
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert transcribe.main([str(model), sound, "-f", "textgrid", "-o", str(tmp_path / "out"), "--quiet"]) == 0
    assert Path(os.fsdecode(os.fsencode(tmp_path) + b"/out/caf\xe9.TextGrid")).exists()


def test_a_dash_is_standard_output(model, sounds, tmp_path, capfdbinary, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call(model, sounds, "-f", "ctm") == 0
    shown = capfdbinary.readouterr().out
    assert call(model, sounds, "-f", "ctm", "-o", "-") == 0
    assert capfdbinary.readouterr().out == shown != b""
    assert not list(tmp_path.iterdir())


def test_what_is_refused(model, sounds, tmp_path):
    with pytest.raises(GlyphoneError, match="format srt writes a file for each of the 3 inputs: name a folder"):
        call(model, sounds, "-f", "srt")
    with pytest.raises(GlyphoneError, match="names one file, there are 3 inputs"):
        call(model, sounds, "-o", tmp_path / "all.srt")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(GlyphoneError, match="a file; format srt writes a file for each input"):
        call(model, sounds, "-f", "srt", "-o", tmp_path / "file")
    with pytest.raises(GlyphoneError, match="'docx': this model's are txt, jsonl, csv, ctm, srt, textgrid, trn, vtt"):
        call(model, sounds, "-f", "docx")
    for option in ("--alternatives", "--beam-width"):
        with pytest.raises(GlyphoneError, match=f"{option} 2: greedy has none"):
            call(model, sounds, option, 2)
        with pytest.raises(GlyphoneError, match=f"{option} 10001: allowed: 1 to 10000"):
            call(model, sounds, "--engine", "beam", option, 10_001)
    with pytest.raises(GlyphoneError, match="--alternatives 2: format ctm has no place for them; jsonl and page have"):
        call(model, sounds, "--engine", "beam", "--alternatives", 2, "-f", "ctm")
    with pytest.raises(GlyphoneError, match="--voting emissions: one model does not vote"):
        call(model, sounds, "--voting", "emissions")
    for folder in (tmp_path, ".", "/", ""):
        with pytest.raises(GlyphoneError, match="a folder or a device; name a file for the results"):
            call(model, sounds, "-o", folder)
    (tmp_path / "out" / "one.srt").mkdir(parents=True)
    with pytest.raises(GlyphoneError, match=r"one\.srt: cannot be written"):
        call(model, sounds / "one.wav", "-f", "srt", "-o", tmp_path / "out", "--restart")


@given(
    st.sampled_from(["s", "px"]),
    st.sampled_from(["json", "xml", "html", "srt", "TextGrid", "hocr", "md", "txt", "CSV"]),
)
def test_an_ending_says_the_format_or_is_refused(unit, ending):
    formats = {*FORMATS, *WRITERS[unit]}
    output = Path(f"out.{ending}")
    if ending.lower() in formats:
        assert choose_format(None, output, unit) == ending.lower()
    else:
        with pytest.raises(GlyphoneError, match=rf"out\.{ending}: .*say which with -f"):
            choose_format(None, output, unit)
    assert choose_format("csv", output, unit) == "csv"
    assert choose_format(None, Path("out"), unit) == choose_format(None, None, unit) == "txt"


def test_confidences_are_those_of_the_calibrated_model(model, sounds, tmp_path):
    before = Recogniser.load(model).transcribe(sounds / "one.wav")
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    description = json.loads((folder / "bundle.json").read_text("utf-8"))
    description["calibration"] = {"characters": {"slope": 2.0, "offset": -1.0}, "words": {"slope": 0.5, "offset": 1.0}}
    (folder / "bundle.json").write_text(json.dumps(description), "utf-8")
    after = Recogniser.load(folder).transcribe(sounds / "one.wav")
    pairs = ((before.symbols, after.symbols), (before.words, after.words))
    for (old, new), scale in zip(pairs, (Scale(2.0, -1.0), Scale(0.5, 1.0)), strict=True):
        assert old
        assert [each.confidence for each in new] == pytest.approx([scale(each.confidence) for each in old], abs=1e-4)


def test_rows_carry_the_whole_hypothesis(model, sounds, tmp_path):
    output = tmp_path / "out.jsonl"
    assert call(model, sounds, "-o", output, "--engine", "beam", "--alternatives", 3) == 0
    rows = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    assert len(rows) == 3
    for row in rows:
        assert " ".join("".join(part["text"] for part in row["characters"]).split()) == row["text"]
        texts = [row["text"], *(other["text"] for other in row["alternatives"])]
        assert 2 <= len(texts) <= 4 and len(set(texts)) == len(texts)
        scores = [row["score"], *(other["score"] for other in row["alternatives"])]
        assert scores == sorted(scores, reverse=True) and scores[0] < 0
        places = [place for part in row["characters"] for place in (part["start"], part["end"])]
        assert places == sorted(places) and row["language_score"] == 0


def test_a_later_call_writes_over_no_other_input_s_file(model: Path, sounds: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert call(model, sounds / "a", "-f", "srt", "-o", out) == 0
    before = (out / "x.srt").read_bytes()
    with pytest.raises(GlyphoneError, match=r"x\.srt: is the transcript of .*a/x\.wav"):
        call(model, sounds / "b", "-f", "srt", "-o", out)
    assert (out / "x.srt").read_bytes() == before
    assert call(model, sounds / "a", "-o", tmp_path / "all.ctm") == 0
    with pytest.raises(GlyphoneError, match=r"all\.ctm: x is .*a/x\.wav there"):
        call(model, sounds / "b", "-o", tmp_path / "all.ctm")


@pytest.mark.parametrize("form", ["ctm", "trn"])
def test_a_table_has_each_recording_once(model, sounds, tmp_path, monkeypatch, form):
    sound, output = tmp_path / "t.wav", tmp_path / f"all.{form}"
    shutil.copyfile(sounds / "one.wav", sound)
    monkeypatch.chdir(tmp_path)
    assert call(model, "t.wav", "-o", output) == 0
    whole = output.read_bytes()
    for name in ("./t.wav", sound, f"../{tmp_path.name}/t.wav", tmp_path):
        assert call(model, name, "-o", output) == 0
        assert output.read_bytes() == whole
    shutil.copyfile(sounds / "b/x.wav", sound)
    with pytest.raises(GlyphoneError, match=rf"all\.{form}: t is t\.wav there, and has another size now; .*--restart"):
        call(model, "t.wav", "-o", output)
    assert output.read_bytes() == whole
    assert call(model, "t.wav", "-o", output, "--restart") == 0
    assert whole != output.read_bytes()


def test_an_input_that_is_again_what_it_was_is_written_again(model: Path, sounds: Path, tmp_path: Path) -> None:
    sound, found = tmp_path / "t.wav", []
    for name in ("one.wav", "b/x.wav", "one.wav"):
        shutil.copyfile(sounds / name, sound)
        assert call(model, sound, "-o", tmp_path / "t.srt") == 0
        found.append((tmp_path / "t.srt").read_text(encoding="utf-8"))
    assert found[0] == found[2] != found[1]


def test_single_files_of_one_folder_are_apart(model: Path, sounds: Path, tmp_path: Path) -> None:
    beam = ("--engine", "beam", "--beam-width", 4)
    assert call(model, sounds / "one.wav", "-o", tmp_path / "greedy.srt") == 0
    assert call(model, sounds / "one.wav", "-o", tmp_path / "beam.srt", *beam) == 0
    assert call(model, sounds / "one.wav", "-o", tmp_path / "greedy.srt") == 0
