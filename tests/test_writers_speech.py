"""Formats of speech, read back by programs that are not ours: srt, webvtt-py, praatio, and NIST's sclite."""

import io
import re
import shutil
import subprocess
from datetime import timedelta
from itertools import pairwise

import pytest
import srt
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st
from praatio import textgrid

from common.writers import WRITERS
from tests.writers_world import transcript, transcripts, words_in

some = settings(max_examples=60)
SPEECH = WRITERS["s"]
SCLITE = shutil.which("sclite") or shutil.which("sclite", path="/usr/lib/sctk/bin")
LONG = "so it goes on and on until a line is full and another one, and a third that no screen would show at once"


def write(name, each):
    return SPEECH[name].write(each)


@some
@given(transcripts())
def test_srt_is_read_back(each):
    cues = list(srt.parse(write("srt", each)))
    assert [cue.index for cue in cues] == list(range(1, len(cues) + 1))
    assert " ".join(cue.content for cue in cues).split() == [re.sub("-{2,}>", "->", word) for word in words_in(each)]
    check_cues([cue_times(cue) for cue in cues], each)


@some
@given(transcripts())
def test_vtt_is_read_back(each):
    text = write("vtt", each)
    captions = webvtt.from_buffer(io.StringIO(text))
    said = " ".join(caption.raw_text for caption in captions)
    for escaped, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        said = said.replace(escaped, character)
    assert said.split() == words_in(each)
    times = [(milliseconds(caption.start), milliseconds(caption.end)) for caption in captions]
    check_cues(times, each)
    assert times == [cue_times(cue) for cue in srt.parse(write("srt", each))]


def milliseconds(clock):
    hours, minutes, seconds = clock.split(":")
    return round(1000 * (3600 * int(hours) + 60 * int(minutes) + float(seconds)))


def cue_times(cue):
    return cue.start // timedelta(milliseconds=1), cue.end // timedelta(milliseconds=1)


def check_cues(spans, each):
    """In order, none over another, none empty, and where the words are, to the millisecond and a nudge a word."""
    flat = [time for span in spans for time in span]
    assert flat == sorted(flat)
    assert all(start < end for start, end in spans)
    if spans:
        words = each.hypothesis.words
        slack = len(words) + 1
        assert abs(spans[0][0] - 1000 * words[0].start) <= slack and abs(spans[-1][1] - 1000 * words[-1].end) <= slack


def test_cues_are_what_a_viewer_can_read():
    cues = list(srt.parse(write("srt", transcript(LONG))))
    assert len(cues) > 1
    for cue in cues:
        lines = cue.content.split("\n")
        assert len(lines) <= 2 and all(len(line) <= 42 for line in lines)
        assert cue.end - cue.start <= timedelta(seconds=7)
    paused = transcript("one two", [(0.0, 0.1)] * 3 + [(0.0, 1.5)] + [(0.0, 0.1)] * 3)
    assert [cue.content for cue in srt.parse(write("srt", paused))] == ["one", "two"]
    word = "x" * 60
    assert [cue.content for cue in srt.parse(write("srt", transcript(word, [(0.0, 0.01)])))] == [word]


@some
@given(transcripts())
def test_textgrid_is_read_back(each):
    grid = textgrid.textgrid_io.parseTextgridStr(write("textgrid", each), includeEmptyIntervals=True)
    tiers = {tier["name"]: tier for tier in grid["tiers"]}
    assert set(tiers) == {"words", "characters"}
    for tier in tiers.values():
        entries = tier["entries"]
        times = [(float(start), float(end)) for start, end, _ in entries]
        assert times[0][0] == 0 and times[-1][1] == float(grid["xmax"]) == float(tier["xmax"])
        assert all(start < end for start, end in times)
        assert all(before[1] == after[0] for before, after in pairwise(times))
    assert [label for *_, label in tiers["words"]["entries"] if label] == words_in(each)
    borders = {float(time) for *span, _ in tiers["characters"]["entries"] for time in span}
    assert {float(time) for *span, label in tiers["words"]["entries"] if label for time in span} <= borders
    assert float(grid["xmax"]) >= round(each.length, 3)


def test_a_textgrid_file_opens(tmp_path):
    each = transcript('he said "no" שלום')
    path = tmp_path / "talk.TextGrid"
    path.write_text(write("textgrid", each), encoding="utf-8")
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False, reportingMode="error")
    assert [entry.label for entry in grid.getTier("words").entries] == ["he", "said", '"no"', "שלום"]
    first = grid.getTier("words").entries[0]
    assert (first.start, first.end) == (each.hypothesis.words[0].start, each.hypothesis.words[0].end)


@some
@given(transcripts(), st.text("a b/();é\t", max_size=9))
def test_ctm_lines_have_six_fields_in_order(each, name):
    lines = SPEECH["ctm"].write(transcript(each.hypothesis.text, name=name)).splitlines()
    assert all(not line.startswith(";") and len(line.split(" ")) == 6 for line in lines)
    fields = [line.split(" ") for line in write("ctm", each).splitlines()]
    assert [row[4] for row in fields] == words_in(each)
    at = 0
    for _, channel, start, duration, _, confidence in fields:
        begin, length = round(1000 * float(start)), round(1000 * float(duration))
        assert channel == "1" and begin >= at and length >= 1 and 0 <= float(confidence) <= 1
        at = begin + length


@some
@given(transcripts(), st.text("a b/();é\t", max_size=9))
def test_a_trn_line_ends_with_its_name(each, name):
    (line,) = SPEECH["trn"].write(transcript(each.hypothesis.text, name=name)).split("\n")[:-1]
    text, _, rest = line.rpartition("(")
    assert rest.endswith(")") and not set(rest[:-1]) & set("() \t") and rest[:-1]
    assert text.split() == words_in(each)
    assert not line.startswith(";;")  # a comment to sclite


def test_a_trn_line_of_a_text_that_begins_as_a_comment():
    assert SPEECH["trn"].write(transcript(";;a", name="n")) == " ;;a (n)\n"
    assert SPEECH["trn"].write(transcript("; ;", name="n")) == "; ; (n)\n"


@pytest.mark.skipif(SCLITE is None, reason="sclite of Debian's package sctk is not installed")
def test_sclite_scores_trn_and_ctm(tmp_path):
    """Names with slashes and an empty hypothesis; a reference of which one word is wrong and one missing."""
    said = {"a/one": "the cat sat", "b/one": "", "b/two": "on the mat שלום"}
    meant = {"a/one": "the bat sat", "b/one": "hello", "b/two": "on the mat שלום"}
    for form in ("trn", "ctm"):
        written = "".join(SPEECH[form].write(transcript(text, name=name)) for name, text in said.items())
        (tmp_path / f"said.{form}").write_text(written, encoding="utf-8")
    reference = "".join(f"{text} ({name})\n" for name, text in meant.items())
    (tmp_path / "meant.trn").write_text(reference, encoding="utf-8")
    segments = "".join(f"{name} 1 {name} 0.0 9.0 {text}\n" for name, text in meant.items())
    (tmp_path / "meant.stm").write_text(segments, encoding="utf-8")
    for reference_form, form in (("trn", "trn"), ("stm", "ctm")):
        command = [SCLITE, "-r", f"meant.{reference_form}", reference_form, "-h", f"said.{form}", form]
        command += ["-e", "utf-8", "-o", "sum", "stdout"] + (["-i", "rm"] if form == "trn" else [])
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8")
        (total,) = [line for line in done.stdout.splitlines() if "Sum/Avg" in line]
        # sentences and words; correct, substituted, deleted, inserted in percent of 8 words
        numbers = [float(word) for word in total.replace("|", " ").split()[1:]]
        assert numbers[:2] == [3, 8], done.stdout + done.stderr
        assert numbers[2:6] == [75.0, 12.5, 12.5, 0.0]


@given(st.text("-> a", max_size=12))
def test_no_line_of_srt_looks_like_times(text):
    lines = WRITERS["s"]["srt"].write(transcript(text)).split("\n")
    assert sum("-->" in line for line in lines) == sum(line.isdigit() for line in lines)
