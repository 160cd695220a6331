"""Transcribing files: order, formats, bad files, the same result alone and among others."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

from audio.modality import MODALITY
from common.bundle import write_bundle
from common.decoding import DecodingSettings
from common.errors import GlyphoneError
from common.files import to_json
from common.network import Network, NetworkSettings
from common.output import FORMATS, csv_cell, shown
from pipelines import transcribe
from pipelines.inputs import Found, find_files
from pipelines.recogniser import Recogniser

REPOSITORY = Path(__file__).resolve().parent.parent
RATE_HZ = 8000
SYMBOLS = list(" abcdefg")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model folder with random weights, steep enough to write many different letters."""
    folder = tmp_path_factory.mktemp("models") / "audio"
    torch.manual_seed(3)
    settings = NetworkSettings.model_validate(
        {"convolutions": [{"channels": 4, "stride": [2, 2]}], "num_layers": 1, "num_hidden": 12}
    )
    slice_settings = MODALITY.SliceSettings()
    num_features = MODALITY.num_features(slice_settings)
    network = Network(settings, num_features, len(SYMBOLS) + 1)
    network.head.weight.data *= 30
    description = {
        "modality": "audio",
        "alphabet": SYMBOLS,
        "slice_settings": slice_settings.model_dump(mode="json"),
        "text_settings": {},
        "num_features": num_features,
        "step": MODALITY.step(slice_settings),
        "unit": "s",
        "summary": {},
    }
    write_bundle(folder, network.state_dict(), settings, description, "# Random\n")
    return folder


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Twelve noises of different lengths, one of them two folders down."""
    folder = tmp_path_factory.mktemp("sounds")
    random = np.random.default_rng(0)
    (folder / "deep" / "er").mkdir(parents=True)
    for number in range(12):
        name = folder / (f"deep/er/{number:02d}.WAV" if number == 11 else f"{number:02d}.wav")
        length = int(RATE_HZ * (0.3 + 0.17 * number))
        rhythm = np.repeat(random.uniform(0.01, 0.5, length // 400 + 1), 400)[:length]
        soundfile.write(name, random.normal(size=length) * rhythm * 0.3, RATE_HZ, format="WAV")
    (folder / "notes.txt").write_text("no sound", encoding="utf-8")
    return folder


def call(*arguments, stdin=""):
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "pipelines.transcribe", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        cwd=REPOSITORY,
    )


def rows_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_help_answers():
    done = call("--help")
    assert done.returncode == 0 and "MODEL" in done.stdout


def test_three_lines_of_python(model, sounds):
    recogniser = Recogniser.load(model)
    hypothesis = recogniser.transcribe(sounds / "05.wav")
    assert hypothesis.text
    seconds = soundfile.info(sounds / "05.wav").duration
    assert all(0 <= word.start < word.end <= seconds for word in hypothesis.words)


@pytest.mark.parametrize("batch_slices", [1, 300, 16_000])
def test_alone_and_among_others_is_the_same_in_order(model, sounds, batch_slices):
    recogniser = Recogniser.load(model)
    paths = sorted(sounds.glob("*.wav"), reverse=True)
    results = list(recogniser.transcribe_all(paths, batch_slices))
    assert [result.path for result in results] == [str(path) for path in paths]
    for result in results:
        alone = recogniser.transcribe(result.path)
        assert result.hypothesis.text == alone.text
        assert [(word.start, word.end) for word in result.hypothesis.words] == [(w.start, w.end) for w in alone.words]
        assert result.hypothesis.confidence == pytest.approx(alone.confidence, abs=1e-4)
    assert len({result.hypothesis.text for result in results}) > 6  # else the comparison would say little


def test_rows_of_all_formats_agree(model, sounds, capfdbinary):
    recogniser = Recogniser.load(model)
    expected = [(str(path), recogniser.transcribe(path).text) for path in sorted(sounds.glob("*.wav"))]
    written = {}
    for name in ("jsonl", "txt", "csv"):
        assert transcribe.main([str(model), str(sounds / "*.wav"), "-f", name, "--quiet"]) == 0
        written[name] = capfdbinary.readouterr().out.decode("utf-8")
    objects = [json.loads(line) for line in written["jsonl"].splitlines()]
    assert [(row["path"], row["text"]) for row in objects] == expected
    assert all({"path", "text", "confidence", "unit", "words"} <= set(row) and row["unit"] == "s" for row in objects)
    assert all([word["text"] for word in row["words"]] == row["text"].split() for row in objects)
    assert [tuple(line.split("\t")) for line in written["txt"].splitlines()] == expected
    table = list(csv.DictReader(io.StringIO(written["csv"])))
    assert [(row["path"], row["text"].removeprefix("'")) for row in table] == expected


@pytest.mark.parametrize("text", ["=1+1", "+49", "-5", "@SUM(A1)", "\t=1", "＝1"])
def test_no_cell_is_a_formula(text):
    row = {"path": text, "text": text, "confidence": 0.5, "unit": "s", "words": []}
    (cells,) = csv.reader(io.StringIO(FORMATS["csv"].row(row)))
    assert cells == ["'" + text, "'" + text, "0.5", "s", "[]"]


@given(st.text(max_size=20), st.text(max_size=20))
def test_csv_rows_are_read_back(path, text):
    row = {"path": path, "text": text, "confidence": 0.5, "unit": "s", "words": [{"text": text}]}
    (cells,) = csv.reader(io.StringIO(FORMATS["csv"].row(row), newline=""))
    assert cells == [csv_cell(path), csv_cell(text), "0.5", "s", to_json(row["words"])]


@given(st.text(alphabet="a\\\t\n\r ä", max_size=12))
def test_a_text_row_is_one_line_with_one_tab(path):
    row = FORMATS["txt"].row({"path": path, "text": "words here"})
    assert row.count("\n") == 1 and row.count("\t") == 1 and "\r" not in row


def test_paths_that_are_no_text_are_written():
    assert shown(os.fsdecode(b"caf\xe9.wav")) == "caf\\xe9.wav"


def test_bad_files_are_named_and_the_others_transcribed(model, sounds, tmp_path):
    empty, text = tmp_path / "empty.wav", sounds / "notes.txt"
    empty.write_bytes(b"")
    output = tmp_path / "out.jsonl"
    names = [empty, sounds / "03.wav", text, "missing.wav", sounds / "04.wav", "x" * 5000]
    done = call(model, *names, "-o", output, "--verify")
    assert done.returncode == 1
    assert [row["path"] for row in rows_of(output)] == [str(sounds / "03.wav"), str(sounds / "04.wav")]
    end = done.stderr.split("not transcribed: ", 1)[1]
    assert all(str(name) in end for name in (empty, text, "missing.wav"))
    assert "4 of 6 inputs were not transcribed" in end and "Traceback" not in done.stderr
    assert all(line.count(str(tmp_path)) <= 1 for line in end.splitlines())
    assert "not transcribed: ./none.wav: no such file\n" in call(model, "./none.wav").stderr


def test_a_sound_on_standard_input_is_one_line(sounds):
    """Each piece of it between two zero bytes was taken for a path: thousands of lines of noise."""
    lines = [os.fsdecode(line) for line in (sounds / "03.wav").read_bytes().splitlines(keepends=True)]
    with pytest.raises(GlyphoneError, match=r"^standard input: a list .*'RIFF.*' is no file: ") as told:
        find_files(["-"], MODALITY.suffixes, lines)
    assert len(str(told.value)) < 200


def test_folders_globs_and_lists(sounds, tmp_path):
    all_paths, reasons, passed_over, links = find_files([str(sounds)], MODALITY.suffixes)
    assert passed_over == {".txt": 1}
    assert not reasons and not links
    assert [Path(path).name for path in all_paths] == [f"{n:02d}.wav" for n in range(11)] + ["11.WAV"]
    assert find_files([str(sounds / "**" / "*.WAV")], MODALITY.suffixes)[0] == [str(sounds / "deep" / "er" / "11.WAV")]
    lines = ["a.wav\r\n", "\n", f"{sounds}\n", "b c.wav"]
    listed, reasons, *_ = find_files(["z.wav", "-", "a.wav"], MODALITY.suffixes, lines)
    assert listed == ["z.wav", "a.wav", *all_paths, "b c.wav"] and not reasons
    # `find -print0`, and a list that an editor gave a byte order mark
    first = str(sounds / "00.wav")
    assert find_files(["-"], (), [f"\ufeff{first}\0b\n", "b.wav\0"]) == ([first, "b\nb.wav"], {}, {}, ())
    assert find_files(["./a.wav", "a.wav", "b/../a.wav", str(Path.cwd() / "a.wav")], ()) == (["./a.wav"], {}, {}, ())
    assert find_files(["x" * 5000], ()) == (["x" * 5000], {}, {}, ())
    odd = tmp_path / "take [1].wav"
    odd.touch()
    assert find_files([str(odd)], MODALITY.suffixes) == ([str(odd)], {}, {}, ())
    (tmp_path / "none").mkdir()
    paths, reasons, *_ = find_files([str(tmp_path / "none"), str(tmp_path / "no*pe")], MODALITY.suffixes)
    assert paths == [] and set(reasons) == {str(tmp_path / "none"), str(tmp_path / "no*pe")}


def test_files_of_a_folder_that_are_passed_over_are_told(model, sounds, tmp_path, capsys):
    folder = tmp_path / "mine"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.caf", "deep/b.CAF", "deep/list", "c.m4a", ".hidden", "._a.wav"):
        (folder / name).touch()
    shutil.copy(sounds / "00.wav", folder / "deep" / "d.wav")
    arguments = [str(model), str(folder), str(sounds / "notes.txt"), "-o", str(tmp_path / "out.txt"), "--restart"]
    transcribe.main(arguments)
    told = "4 files in folders are passed over for their endings: .caf (2), without an ending (1), .m4a (1)"
    assert f"{told}; one that is named itself is tried\n" in capsys.readouterr().err
    transcribe.main([*arguments, "--quiet"])
    assert "passed over" not in capsys.readouterr().err
    many = Found([], {}, Counter({f".{letter}": 1 for letter in "abcdefghijk"}))
    assert ".h (1) and 3 more; " in many.sentence()


def test_a_model_that_reads_nothing_is_told(model, tmp_path, capsys):
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(RATE_HZ, np.int16), RATE_HZ)
    assert transcribe.main([str(model), str(tmp_path), "--quiet"]) == 0
    assert "none of 2 files gave a text" in capsys.readouterr().err
    assert transcribe.main([str(model), str(tmp_path / "a.wav"), "--quiet"]) == 0
    assert "gave a text" not in capsys.readouterr().err  # a single pause is nothing to wonder at


def test_a_closed_pipe_is_no_error(model, sounds):
    command = f'"{sys.executable}" -m pipelines.transcribe "{model}" "{sounds}" --quiet --batch-frames 1 | head -n 1'
    done = subprocess.run(command, shell=True, capture_output=True, encoding="utf-8", cwd=REPOSITORY)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


@pytest.mark.skipif(os.name != "posix", reason="no shell that closes streams")
def test_streams_that_the_caller_closed(model, sounds, tmp_path):
    """As of a daemon or cron: an end in one line, results where they belong, and no message among them."""
    output, command = tmp_path / "out.txt", f'"{sys.executable}" -m pipelines.transcribe "{model}"'

    def shell(text):
        return subprocess.run(f"{command} {text}", shell=True, capture_output=True, encoding="utf-8", cwd=REPOSITORY)

    done = shell("- <&-")
    assert done.returncode == 2 and done.stderr.startswith("error: no files named") and done.stderr.count("\n") == 1
    done = shell(f'"{sounds}/00.wav" --quiet >&-')
    assert (done.returncode, done.stderr) == (2, "error: standard output is closed: the result has no place to go\n")
    done = shell(f'"{sounds}" nowhere.wav 2>&-')
    assert done.returncode == 1 and len(done.stdout.splitlines()) == 12
    assert all(line.startswith(str(sounds)) for line in done.stdout.splitlines())
    assert shell(f'"{sounds}" -o "{output}" <&- >&- 2>&-').returncode == 0
    assert output.read_text(encoding="utf-8") == done.stdout


def test_models_of_another_version(model, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    description = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    description["slice_settings"]["aura"] = 3
    (folder / "bundle.json").write_text(json.dumps(description), encoding="utf-8")
    with pytest.raises(GlyphoneError, match="not of this version of Glyphone: aura"):
        Recogniser.load(folder)


def test_models_that_are_none(model, sounds, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "alien").mkdir()
    (tmp_path / "alien" / "bundle.json").write_text('{"modality": "smell", "format_version": 1}', encoding="utf-8")
    sentences = {"missing": "no such folder", "empty": "not a model folder", "alien": "'smell': there are audio, ocr"}
    for name, sentence in sentences.items():
        done = call(tmp_path / name, sounds)
        assert done.returncode == 2
        assert sentence in done.stderr and done.stderr.count("\n") == 1 and done.stdout == ""


def test_a_folder_among_the_language_models_is_passed_over(tmp_path):
    """And hidden files, which file managers leave: neither is packed by hand_out or copied by adapt."""
    decoding = DecodingSettings(engine="beam_lm")
    (tmp_path / "language").mkdir()
    (tmp_path / "language" / "ngrams.arrow").write_bytes(b"1")
    before = transcribe._engine(decoding, tmp_path)
    (tmp_path / "language" / "old").mkdir()
    (tmp_path / "language" / ".DS_Store").touch()
    assert transcribe._engine(decoding, tmp_path) == before
    (tmp_path / "language" / "ngrams.arrow").write_bytes(b"2")
    assert transcribe._engine(decoding, tmp_path) != before


def test_a_call_that_fails_before_the_first_file_leaves_nothing(model, sounds, tmp_path, capsys):
    """The same call without its mistake is not told that OUT was begun with another engine."""
    call_with = [str(model), str(sounds / "02.wav"), "--device", "cpu", "--quiet"]
    for out in (["-o", str(tmp_path / "out.jsonl")], ["-f", "srt", "-o", str(tmp_path / "subtitles")]):
        for mistake in (["--engine", "beam_lm"], ["--whitelist", "q"]):
            with pytest.raises(GlyphoneError):
                transcribe.main([*call_with, *out, *mistake])
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]
        assert transcribe.main([*call_with, *out]) == 0
        for path in filter(Path.is_file, tmp_path.rglob("*")):
            path.unlink()


def test_results_do_not_take_the_place_of_an_input(model, sounds, tmp_path):
    """Even where OUT may be begun anew, and under another name."""
    sound = Path(shutil.copy(sounds / "02.wav", tmp_path / "talk.wav"))
    (tmp_path / "link.txt").symlink_to(sound)
    for out in (sound, tmp_path / "link.txt"):
        with pytest.raises(GlyphoneError, match=f"{out}: is the input {sound}; name another file for the results"):
            transcribe.main([str(model), str(sound), "-f", "txt", "-o", str(out), "--restart", "--quiet"])
    assert sound.read_bytes() == (sounds / "02.wav").read_bytes()


def test_wrong_calls(model, sounds):
    assert call(model).returncode == 2
    assert "no files named" in call(model, "-").stderr
    for device in ("toaster", "meta", *(() if torch.backends.mps.is_available() else ("mps",))):
        with pytest.raises(GlyphoneError, match=f"device '{device}'") as caught:
            Recogniser.load(model, device)
        assert len(str(caught.value)) < 250
    assert "at least 1" in call(model, sounds, "--batch-frames", "0").stderr
