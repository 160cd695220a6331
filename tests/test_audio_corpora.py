"""Readers of speech corpora: each layout as it is distributed, and what is wrong with a broken one."""

import io
import json
import zipfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio.corpora import CORPORA
from audio.reading import read
from common.errors import GlyphoneError
from common.samples import SPLITS, Sample


def listed(reader: str, root: Path, **settings: object) -> list[Sample]:
    chosen = CORPORA[reader]
    return list(chosen.read(chosen.Settings(**settings), root, 1))


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8", newline="")
    return root


def fails(reader: str, root: Path, message: str, **settings: object) -> None:
    with pytest.raises(GlyphoneError, match=message) as caught:
        listed(reader, root, **settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("reader", CORPORA)
def test_every_reader_has_defaults_and_refuses_unknown_settings(reader: str) -> None:
    CORPORA[reader].Settings()
    with pytest.raises(ValueError, match="Extra inputs"):
        CORPORA[reader].Settings(spekaer="x")


@pytest.mark.parametrize("reader", sorted(set(CORPORA) - {"synthetic"}))
def test_an_empty_folder_is_an_error(reader: str, tmp_path: Path) -> None:
    fails(reader, tmp_path, str(tmp_path))


# AN4

AN4 = {
    "etc/an4_train.fileids": "an4_clstk/fash/an1-fash-b\r\nan4_clstk/mmxg/cen2-mmxg-b\r\n",
    "etc/an4_train.transcription": "<s> YES </s> (an1-fash-b)\n<s> P I T T </s> (cen2-mmxg-b)\n",
    "etc/an4_test.fileids": "an4test_clstk/fcaw/an4-fcaw-b\n",
    "etc/an4_test.transcription": "RUBOUT G NINE (an4-fcaw-b)\n",
    "wav/an4_clstk/fash/an1-fash-b.sph": "",
    "wav/an4_clstk/mmxg/cen2-mmxg-b.wav": "",
    "wav/an4test_clstk/fcaw/an4-fcaw-b.flac": "",
}


def test_an4_lists(tmp_path: Path) -> None:
    samples = listed("an4", write(tmp_path, AN4))
    assert [(each.id, each.path, each.text, each.group, each.split) for each in samples] == [
        ("an1-fash-b", "wav/an4_clstk/fash/an1-fash-b.sph", "YES", "fash", "train"),
        ("cen2-mmxg-b", "wav/an4_clstk/mmxg/cen2-mmxg-b.wav", "P I T T", "mmxg", "train"),
        ("an4-fcaw-b", "wav/an4test_clstk/fcaw/an4-fcaw-b.flac", "RUBOUT G NINE", "fcaw", "test"),
    ]


def test_an4_tables_where_the_lists_are_missing(tmp_path: Path) -> None:
    header = "id\tpath\ttranscript\tspeaker\n"
    write(
        tmp_path, {"train.tsv": f"{header}a\twav/a.flac\tYES\tfash\n", "test.tsv": f"{header}b\twav/b.flac\tNO\tfcaw\n"}
    )
    assert [(each.id, each.group, each.split) for each in listed("an4", tmp_path)] == [
        ("a", "fash", "train"),
        ("b", "fcaw", "test"),
    ]


def test_an4_mistakes(tmp_path: Path) -> None:
    fails(
        "an4",
        write(tmp_path, AN4 | {"etc/an4_train.transcription": "YES an1\n"}),
        r"transcription, line 1: TEXT \(id\)",
    )
    one = "<s> YES </s> (an1-fash-b)\n"
    fails("an4", write(tmp_path, {"etc/an4_train.transcription": one}), r"fileids, line 2: 'cen2-mmxg-b' has no line")
    # The first of two recordings of one name had the transcript of the second.
    twice = one + "NO (cen2-mmxg-b)\nNO (an1-fash-b)\n"
    fails("an4", write(tmp_path, {"etc/an4_train.transcription": twice}), r"line 3: \(an1-fash-b\) stands twice")


def test_real_an4(shared_data: Path) -> None:
    samples = listed("an4", shared_data / "speech" / "an4")
    assert Counter(each.split for each in samples) == {"train": 948, "test": 130}
    assert all((shared_data / "speech" / "an4" / each.path).is_file() for each in samples)
    speakers = defaultdict(set)
    for each in samples:
        speakers[each.split].add(each.group)
        assert set(each.text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ ")
    assert (len(speakers["train"]), len(speakers["test"])) == (74, 10)
    assert not speakers["train"] & speakers["test"]


# FSDD


def fsdd_names() -> list[str]:
    return [f"{digit}_{speaker}_{index}.wav" for digit in (0, 7) for speaker in "abc" for index in range(12)]


@pytest.mark.parametrize("zipped", [False, True])
def test_fsdd_official_split(tmp_path: Path, zipped: bool) -> None:
    if zipped:
        with zipfile.ZipFile(tmp_path / "fsdd.zip", "w") as archive:
            for name in fsdd_names():
                archive.writestr(f"recordings/{name}", b"")
    else:
        write(tmp_path, {f"recordings/{name}": "" for name in fsdd_names()} | {"recordings/notes.txt": ""})
    samples = listed("fsdd", tmp_path)
    assert Counter(each.split for each in samples) == {"train": 12, "validation": 30, "test": 30}
    for each in samples:
        digit, speaker, index = each.id.split("_")
        assert each.text == {"0": "zero", "7": "seven"}[digit]
        assert each.split == ("test" if int(index) < 5 else "validation" if int(index) < 10 else "train")
        assert each.group == f"{speaker}/{each.split}"
        assert each.path == ("fsdd.zip!" if zipped else "") + f"recordings/{each.id}.wav"


@pytest.mark.parametrize("prefix", ["", "./", "a//"])
def test_members_of_an_archive_are_read_as_it_names_them(tmp_path: Path, prefix: str) -> None:
    sound = io.BytesIO()
    soundfile.write(sound, 0.1 * np.sin(np.arange(800)), 8000, format="WAV")
    with zipfile.ZipFile(tmp_path / "fsdd.zip", "w") as archive:
        for name in fsdd_names():
            archive.writestr(f"{prefix}recordings/{name}", sound.getvalue())
    for each in listed("fsdd", tmp_path)[:3]:
        assert read(tmp_path / each.path).seconds == 0.1


@pytest.mark.parametrize(("test_speaker", "validation_speaker"), [("a", "b"), ("b", "c"), ("c", "a")])
def test_fsdd_one_speaker_left_out(tmp_path: Path, test_speaker: str, validation_speaker: str) -> None:
    write(tmp_path, {f"recordings/{name}": "" for name in fsdd_names()})
    groups = defaultdict(set)
    for each in listed("fsdd", tmp_path, test_speaker=test_speaker):
        groups[each.split].add(each.group)
    assert groups["test"] == {test_speaker} and groups["validation"] == {validation_speaker}
    assert groups["train"] == {*"abc"} - {test_speaker, validation_speaker}


def test_fsdd_mistakes(tmp_path: Path) -> None:
    write(tmp_path, {f"recordings/{name}": "" for name in fsdd_names()})
    fails("fsdd", tmp_path, "test_speaker 'd' is none of a, b, c", test_speaker="d")
    broken = write(tmp_path / "broken", {"fsdd.zip": "no archive"})
    fails("fsdd", broken, "not a zip archive")
    with zipfile.ZipFile(broken / "fsdd.zip", "w") as archive:
        archive.writestr("0_a_0.wav", "")
    data = bytearray((broken / "fsdd.zip").read_bytes())
    data[data.index(b"PK\1\2") + 6] = 150  # version that is needed to unpack it
    (broken / "fsdd.zip").write_bytes(data)
    fails("fsdd", broken, r"not a zip archive: zip file version 15\.0")


def test_real_fsdd(shared_data: Path) -> None:
    samples = listed("fsdd", shared_data / "speech" / "fsdd")
    assert Counter(each.split for each in samples) == {"train": 2400, "validation": 300, "test": 300}
    left_out = listed("fsdd", shared_data / "speech" / "fsdd", test_speaker="yweweler")
    assert Counter((each.split, each.group) for each in left_out if each.split != "train") == {
        ("test", "yweweler"): 500,
        ("validation", "george"): 500,
    }


# LibriSpeech, Common Voice


@pytest.mark.parametrize("prefix", ["", "LibriSpeech/"])
def test_librispeech(tmp_path: Path, prefix: str) -> None:
    write(
        tmp_path,
        {
            f"{prefix}train-clean-100/19/198/19-198.trans.txt": "19-198-0000 NORTHANGER ABBEY\n"
            "19-198-0001\tTHIS WORK\n",
            f"{prefix}train-clean-100/19/198/19-198-0000.flac": "",
            f"{prefix}dev-clean/84/121/84-121.trans.txt": "84-121-0000 GO\n",
            f"{prefix}test-other/7/8/7-8.trans.txt": "7-8-0000 DO YOU\n",
        },
    )
    assert [(each.id, each.path, each.text, each.group, each.split) for each in listed("librispeech", tmp_path)] == [
        ("19-198-0000", f"{prefix}train-clean-100/19/198/19-198-0000.flac", "NORTHANGER ABBEY", "19", "train"),
        ("19-198-0001", f"{prefix}train-clean-100/19/198/19-198-0001.flac", "THIS WORK", "19", "train"),
        ("84-121-0000", f"{prefix}dev-clean/84/121/84-121-0000.flac", "GO", "84", "validation"),
        ("7-8-0000", f"{prefix}test-other/7/8/7-8-0000.flac", "DO YOU", "7", "test"),
    ]
    for line in ("GO AHEAD\n", "84/121/84-121-0000 GO\n"):
        write(tmp_path, {f"{prefix}dev-clean/84/121/84-121.trans.txt": line})
        fails("librispeech", tmp_path, "84-121.trans.txt, line 1: SPEAKER-CHAPTER-NUMBER TEXT")


@pytest.mark.parametrize("folder", ["/data/train", "../train", "", "."])
def test_librispeech_folders_lie_below_the_root(folder: str) -> None:
    with pytest.raises(ValueError, match="must be a path below the root"):
        CORPORA["librispeech"].Settings(train=[folder])


def test_common_voice(tmp_path: Path) -> None:
    header = "client_id\tpath\tsentence\tup_votes\n"
    write(
        tmp_path,
        {
            "train.tsv": f'{header}s1\tcommon_voice_de_1.mp3\tEr sagte "ja".\t2\n',
            "dev.tsv": f"{header}s2\tcommon_voice_de_2\tNein\t2\n",
            "test.tsv": f"\ufeff{header}s3\tcommon_voice_de_3.mp3\tÄpfel\t2\r\n",
        },
    )
    assert [(each.id, each.path, each.text, each.group, each.split) for each in listed("common_voice", tmp_path)] == [
        ("common_voice_de_1", "clips/common_voice_de_1.mp3", 'Er sagte "ja".', "s1", "train"),
        ("common_voice_de_2", "clips/common_voice_de_2.mp3", "Nein", "s2", "validation"),
        ("common_voice_de_3", "clips/common_voice_de_3.mp3", "Äpfel", "s3", "test"),
    ]
    write(tmp_path, {"dev.tsv": "client_id\tpath\ttext\ns2\ta\tNein\n"})
    fails("common_voice", tmp_path, "dev.tsv, line 1: no column 'sentence'")


# Kaldi

KALDI = {
    "train/text": "a-1 HELLO THERE\na-2 GOOD MORNING\nb-1 \n",
    "train/wav.scp": "rec1 audio/one.wav\nrec2 audio/two.wav\n",
    "train/segments": "a-1 rec1 0.5 1.25 0\na-2 rec1 2 -1\nb-1 rec2 0 3\n",
    "train/utt2spk": "a-1 a\na-2 a\nb-1 b\n",
}


def test_kaldi_with_segments(tmp_path: Path) -> None:
    samples = listed("kaldi", write(tmp_path, KALDI))
    assert [(each.id, each.path, each.text, each.group, each.split, each.start, each.end) for each in samples] == [
        ("a-1", "audio/one.wav", "HELLO THERE", "a", "", 0.5, 1.25),
        ("a-2", "audio/one.wav", "GOOD MORNING", "a", "", 2.0, None),
        ("b-1", "audio/two.wav", "", "b", "", 0.0, 3.0),
    ]


def test_kaldi_without_segments_and_with_splits(tmp_path: Path) -> None:
    write(tmp_path, {"data/tr/text": "u1 YES\n", "data/tr/wav.scp": f"u1 {tmp_path}/audio/one.wav\n"})
    write(tmp_path, {"data/te/text": "u2 NO\n", "data/te/wav.scp": "u2 /elsewhere/two.wav\n"})
    samples = listed("kaldi", tmp_path, train="data/tr", test="data/te")
    assert [(each.id, each.path, each.group, each.split, each.start) for each in samples] == [
        ("u1", "audio/one.wav", "u1", "train", None),
        # Left as it is: prepare rejects it as outside the corpus.
        ("u2", "/elsewhere/two.wav", "u2", "test", None),
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"wav.scp": "rec1 sph2pipe -f wav one.sph |\nrec2 b.wav\n"}, r"wav.scp, line 1: a command, 'sph2pipe"),
        ({"wav.scp": "rec1\nrec2 b.wav\n"}, "wav.scp, line 1: no file"),
        ({"wav.scp": "rec1 a.wav\n"}, "text, line 3: 'rec2' has no line"),
        ({"wav.scp": "rec1 a.wav\nrec1 b.wav\n"}, "wav.scp, line 2: 'rec1' stands twice"),
        ({"segments": "a-1 rec1 0.5\n"}, "segments, line 1: RECORDING START END"),
        ({"segments": "a-1 rec1 0.5 nan\n"}, "segments, line 1: RECORDING START END"),
        ({"segments": "a-1 rec1 nan 1\n"}, "segments, line 1: RECORDING START END"),
        ({"segments": "a-1 rec1 0.5 inf\n"}, "segments, line 1: RECORDING START END"),
        ({"segments": "a-2 rec1 0 1\n"}, "text, line 1: 'a-1' has no line in segments"),
        ({"segments": "a-1 rec1 0 1 1\n"}, "segments, line 1: channel '1'; only 0 is read"),
        ({"utt2spk": "a-1 a\nb-1 b\n"}, "text, line 2: 'a-2' has no line in utt2spk"),
    ],
)
def test_kaldi_mistakes(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    changed = {f"train/{name}": text for name, text in changes.items()}
    fails("kaldi", write(tmp_path, KALDI | changed), message)


# One's own


def test_manifest_of_nemo(tmp_path: Path) -> None:
    rows = [
        {"audio_filepath": f"{tmp_path}/clips/a.wav", "duration": 1.5, "text": "hello", "offset": 0.5},
        {"audio_filepath": "clips/b.wav", "duration": 2.0, "text": "bye", "speaker": "s"},
    ]
    write(tmp_path, {"train.json": "\ufeff" + "\r\n".join(map(json.dumps, rows))})
    first, second = listed("manifest", tmp_path, manifest="train.json")
    assert (first.path, first.text, first.start, first.end) == ("clips/a.wav", "hello", 0.5, 2.0)
    assert str(tmp_path) not in first.id
    assert (second.path, second.group, second.start) == ("clips/b.wav", "s", None)


def test_manifest_groups_and_splits_by_pattern(tmp_path: Path) -> None:
    rows = ["path,text,group,split", "a_11.wav,x,g,", "a_12.wav,x,g,", "b_11.wav,x,g,", "b_12.wav,x,g,train"]
    write(tmp_path, {"a.csv": "\n".join(rows) + "\n"})
    patterns = {"group_pattern": r"^(\w+_\d)", "split_patterns": {"test": "^b", "dev": "_1[12]"}}
    found = listed("manifest", tmp_path, manifest="a.csv", **patterns)
    assert [each.group for each in found] == ["a_1", "a_1", "b_1", "b_1"]
    # A row's own split goes first, then the patterns in their order.
    assert [each.split for each in found] == ["validation", "validation", "test", "train"]
    assert {each.group for each in listed("manifest", tmp_path, manifest="a.csv")} == {"g"}
    write(tmp_path, {"b.csv": "\n".join([*rows, "c.wav,x,,"]) + "\n"})
    fails("manifest", tmp_path, "does not match 'c.wav'", manifest="b.csv", **patterns)
    fails("manifest", tmp_path, "finds an empty group in 'c.wav'", manifest="b.csv", group_pattern="^([ab]*)")
    for wrong in ({"split_patterns": {"holdout": "x"}}, {"split_patterns": {"test": "("}}, {"group_pattern": "a"}):
        with pytest.raises(ValueError, match=r"holdout|regular expression|bracket"):
            CORPORA["manifest"].Settings(**wrong)


def test_manifest_mistakes(tmp_path: Path) -> None:
    write(tmp_path, {"a.csv": "path,words_spoken\na.wav,hello\n"})
    fails("manifest", tmp_path, "a.csv, line 1: no column 'text'", manifest="a.csv")


def test_folder(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"anna/1.wav": "", "anna/1.txt": "\ufeffhello\r\n", "bert/2.ogg": "", "bert/2.txt": "bye", "c.png": ""},
    )
    assert [(each.path, each.text, each.group) for each in listed("folder", tmp_path)] == [
        ("anna/1.wav", "hello", "anna"),
        ("bert/2.ogg", "bye", "bert"),
    ]


def test_splits_are_ours(tmp_path: Path) -> None:
    for reader, files in {"an4": AN4, "kaldi": KALDI}.items():
        for each in listed(reader, write(tmp_path / reader, files)):
            assert each.split in {*SPLITS, ""}
