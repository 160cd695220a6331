import csv
import dataclasses
import io
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.doctor import (
    Finding,
    collect,
    examine,
    examine_contents,
    examine_lengths,
    examine_texts,
    read_findings,
    sort_findings,
    write_findings,
)
from common.doctor_signals import SIGNAL_CODES
from common.errors import GlyphoneError
from common.findings import MAX_IDS, SEVERITIES, finding
from common.samples import Sample
from ocr.modality import MODALITY

QUICK = settings(max_examples=40)


def sample(id: str, text: str = "abc abc", group: str = "", split: str = "train", corpus: str = "c") -> Sample:
    return Sample(id=id, path=f"{id}.wav", text=text, group=group, split=split, corpus=corpus)


def by_code(findings: list[Finding]) -> dict[str, Finding]:
    assert len({each.code for each in findings}) == len(findings)
    return {each.code: each for each in findings}


def test_clean_data_has_no_findings() -> None:
    samples = [
        sample(f"s{i}{split}", f"aabb {i:02} {i:02}", f"g{split}", split) for i in range(30) for split in ("train",)
    ]
    samples.append(sample("t", "ab ab 11", "g-test", "test"))
    raw = {each.id: each.text for each in samples}
    digests = {each.id: each.id for each in samples}
    lengths = {each.id: 0.1 * len(each.text) for each in samples}
    assert examine(samples, raw, digests=digests, lengths=lengths, unit="s", signals={}) == []
    assert examine([], {}, digests={}, lengths={}, unit="s", signals={}) == []


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("\ufeffyes", "byte_order_mark"),
        ("yes\r\n", "carriage_return"),
        ("cafe\u0301", "not_nfc"),
        ("yes\tno", "odd_white_space"),
        ("yes  no", "odd_white_space"),
        (" yes", "odd_white_space"),
        ("yes\u00a0no", "odd_white_space"),
        ("zero\u200bwidth", "invisible_character"),
        ("\u202eright to left", "invisible_character"),
        ("soft\u00adhyphen", "invisible_character"),
        ("bell\x07", "invisible_character"),
        ('"she said ""no"", twice"', "quoted_cell"),
        ('"""no"", she said"', "quoted_cell"),
        ("StraÃŸe", "mojibake"),
        ("KÃ¶ln", "mojibake"),
        ("itâ€™s", "mojibake"),
        ("lost \ufffd", "replacement_character"),
        ("p\u0430ypal", "mixed_script"),
        ("τoύ ϑεού", "mixed_script"),
        ("\u0442\u0451\u043ca Mockв\u0430", "mixed_script"),
    ],
)
def test_odd_transcripts(raw: str, code: str) -> None:
    found = by_code(examine_texts([sample("good"), sample("bad")], {"good": "abc abc", "bad": raw}))
    assert found[code].ids == ("bad",) and found[code].count == 1
    assert "1 of 2" in found[code].sentence and found[code].advice


@pytest.mark.parametrize(
    "raw",
    [
        "yes",
        "Straße",
        "déjà vu – «où»?",
        '"yes", he said, "no"',
        '"',
        "Ελληνικά και English",
        "привет",
        "日本語",
        "नमस्ते",
        "¿Qué?",
        "שלום",
        "Ångström µm",
        "5 \u03bcm at 10 kΩ, Δt 3",
    ],
)
def test_real_texts_are_not_odd(raw: str) -> None:
    raw = unicodedata.normalize("NFC", raw)
    assert examine_texts([sample("a", "aa")], {"a": raw}) == []


@QUICK
@given(text=st.text(alphabet='ab" ', max_size=9))
def test_what_csv_quotes_is_found(text: str) -> None:
    """Of a table that tabs part such cells became transcripts with their quotation marks."""
    row = io.StringIO()
    csv.writer(row, delimiter="\t", lineterminator="").writerow([text, ""])
    cell = row.getvalue().removesuffix("\t")
    found = by_code(examine_texts([sample("a", "aa")], {"a": cell}))
    assert ("quoted_cell" in found) == ('"' in text)


@QUICK
@given(raw=st.text(max_size=20))
def test_any_text_can_be_examined(raw: str) -> None:
    found = examine_texts([sample("a", raw), sample("b", raw, split="test")], {"a": raw, "b": raw})
    for each in found:
        each.sentence.encode("utf-8")
        assert "\n" not in each.sentence and "\r" not in each.sentence
        assert each.severity in SEVERITIES and 1 <= each.count == len(each.ids)
    codes = {each.code for each in found}
    assert ("byte_order_mark" in codes) == ("\ufeff" in raw)
    assert ("carriage_return" in codes) == ("\r" in raw)
    assert ("not_nfc" in codes) == (raw != unicodedata.normalize("NFC", raw))
    assert ("empty_text" in codes) == (raw == "")
    assert ("seen_transcript_test" in codes) == (raw != "")
    assert "unseen_character_test" not in codes


def test_characters() -> None:
    samples = [
        sample("a", "aabbé"),
        sample("b", "abab"),
        sample("v", "abx", split="validation"),
        sample("t1", "yyz", split="test"),
        sample("t2", "é", split="test"),
    ]
    found = by_code(examine_texts(samples, {}))
    assert found["rare_character"].ids == ("a",)
    assert "1 of 3 characters" in found["rare_character"].sentence and "'é' U+00E9" in found["rare_character"].sentence
    assert found["unseen_character_validation"].ids == ("v",)
    assert found["unseen_character_test"].ids == ("t1",)
    assert "2 characters (3 times)" in found["unseen_character_test"].sentence


def test_long_and_mixed_case_texts() -> None:
    samples = [sample(f"s{i:02}", "AB AB") for i in range(40)] + [sample("long", "AB " * 40), sample("small", "ab ab")]
    found = by_code(examine_texts(samples, {}))
    assert found["long_text"].ids == ("long",) and "120" in found["long_text"].sentence
    assert found["mixed_case"].ids == ("small",) and "text.case to upper" in found["mixed_case"].advice


def test_groups_in_two_splits() -> None:
    samples = [
        sample("a", group="eve", split="train"),
        sample("b", group="eve", split="test"),
        sample("c", group="bob", split="train"),
        # The same name in another corpus is another person; no name is nobody.
        sample("d", group="bob", split="test", corpus="other"),
        sample("e", group="", split="train"),
        sample("f", group="", split="test"),
    ]
    found = by_code(examine_texts(samples, {}))["group_in_two_splits"]
    assert found.severity == "error" and found.ids == ("a", "b")
    assert "1 of 3 groups" in found.sentence and "eve" in found.sentence


def test_contents_in_two_splits_or_twice() -> None:
    samples = [
        sample("a", "x"),
        sample("b", "x", split="test"),
        sample("c", "y"),
        sample("d", "z"),
        sample("e", "y"),
        sample("unread", "x"),
    ]
    found = by_code(examine_contents(samples, {"a": "1", "b": "1", "c": "2", "d": "2", "e": "3"}))
    assert {code: each.ids for code, each in found.items()} == {
        "content_in_two_splits": ("a", "b"),
        "duplicate_content": ("c", "d"),
        "contradicting_transcripts": ("c", "d"),
    }
    assert found["content_in_two_splits"].severity == "error"


def test_transcripts_seen_in_training() -> None:
    samples = [sample("a", "yes"), sample("b", "yes", split="test"), sample("c", "no", split="test")]
    found = by_code(examine_texts(samples, {}))["seen_transcript_test"]
    assert found.severity == "note" and found.ids == ("b",)
    assert "1 of 2 test transcripts (50.0%)" in found.sentence
    assert found.advice.endswith("apart: the report shows both.")


def test_advice_on_seen_transcripts_can_be_followed() -> None:
    """The report has no table of seen and unseen ones where there is one kind alone, nor of validation samples."""
    samples = [sample("a", "yes"), sample("b", "yes", split="test"), sample("v", "yes", split="validation")]
    found = by_code(examine_texts([*samples, sample("w", "no", split="validation")], {}))
    assert found["seen_transcript_test"].advice == "No test transcript is new: the scores tell nothing of other texts."
    assert found["seen_transcript_validation"].advice.endswith("apart: metrics.json has both, under validation.")


@QUICK
@given(
    scale=st.floats(1e-3, 1e3),
    spread=st.floats(1.0, 1.3),
    texts=st.lists(st.integers(1, 30), min_size=20, max_size=40),
)
def test_lengths_that_fit_are_not_found_and_others_are(scale: float, spread: float, texts: list[int]) -> None:
    """Within a factor of 1.3 all is well, whatever the unit; a hundred times too short or too long is always found."""
    samples = [sample(f"s{i:02}", "a" * number) for i, number in enumerate(texts)]
    lengths = {each.id: scale * len(each.text) * (spread if i % 2 else 1 / spread) for i, each in enumerate(samples)}
    assert examine_lengths(samples, lengths, "s") == []
    odd = [*samples, sample("fast", "a" * 20), sample("slow", "a" * 20)]
    lengths |= {"fast": scale * 20 / 100, "slow": scale * 20 * 100}
    found = by_code(examine_lengths(odd, lengths, "s"))
    assert found["too_fast"].ids == ("fast",) and found["too_slow"].ids == ("slow",)
    assert "fast has" in found["too_fast"].sentence


def test_lengths_of_few_samples_say_nothing() -> None:
    samples = [sample(f"s{i:02}", "aaaa") for i in range(19)]
    assert examine_lengths(samples, {each.id: 10.0 ** (i % 3) for i, each in enumerate(samples)}, "px") == []
    assert examine_lengths(samples, {}, "px") == []


@QUICK
@given(
    heights=st.lists(st.integers(16, 200), min_size=20, max_size=40),
    characters=st.integers(2, 9),
)
def test_pictures_are_as_long_as_they_are_wide_by_their_height(heights: list[int], characters: int) -> None:
    """Equal lines at any resolution are all as long as their texts; one of another proportion is not."""
    samples = [sample(f"s{i:02}", "a" * characters) for i in range(len(heights))]
    pictures = [np.zeros((height, 3 * height * characters), np.uint8) for height in heights]
    lengths = {
        each.id: MODALITY.length(seen) / MODALITY.height(seen) for each, seen in zip(samples, pictures, strict=True)
    }
    assert examine_lengths(samples, lengths, "px") == []
    found = by_code(examine_lengths([*samples, sample("cut")], {**lengths, "cut": 1.0}, "px"))
    assert found["too_fast"].ids == ("cut",)
    assert "usual is 3 times its height a character in corpus c, cut has 0.143" in found["too_fast"].sentence


def test_pictures_on_their_side() -> None:
    """Of a turned line its width is no reason to doubt the transcript."""
    samples = [sample(f"s{i:02}", "abcd") for i in range(30)] + [sample("turned", "abcd")]
    lengths = {each.id: 2.0 for each in samples} | {"turned": 0.05}
    signals = {each.id: [] for each in samples} | {"turned": [("rotated", "tall"), ("x", "y")]}
    found = by_code(examine(samples, {}, digests={}, lengths=lengths, unit="px", signals=signals))
    assert found["rotated"].ids == ("turned",) and "slices.rotate_tall" in found["rotated"].advice
    assert found["x"].ids == ("turned",)
    assert not {"too_fast", "too_slow"} & found.keys()


def test_what_inspect_says_is_collected() -> None:
    found = by_code(
        collect(
            {
                "b": [("clipping", "7 % of the samples stand at the limit"), ("made_up", "odd in a new way")],
                "a": [("clipping", "3 % of the samples stand at the limit")],
                "c": [],
            }
        )
    )
    assert found["clipping"].ids == ("a", "b") and found["clipping"].advice == SIGNAL_CODES["clipping"][2]
    assert "2 of 3 samples are clipped; a: 3 %" in found["clipping"].sentence
    assert found["made_up"].severity == "note" and "odd in a new way" in found["made_up"].sentence
    assert collect({}) == []


def test_every_known_code_reads_well() -> None:
    for code, (severity, what, advice) in SIGNAL_CODES.items():
        assert severity in SEVERITIES and what and advice.endswith("."), code


def test_many_ids_are_cut_but_counted() -> None:
    found = finding("x", "note", "many", (f"s{i:03}" for i in range(200)), "none")
    assert len(found.ids) == MAX_IDS and found.count == 200 and found.ids[0] == "s000"


@QUICK
@given(
    found=st.lists(
        st.builds(
            finding,
            st.sampled_from("abc"),
            st.sampled_from(SEVERITIES),
            st.text(st.characters(codec="utf-8"), max_size=5),
            st.lists(st.sampled_from(["x", "y", "z"])),
            st.text(st.characters(codec="utf-8"), max_size=5),
        ),
        max_size=6,
    )
)
def test_written_findings_are_read_in_order(tmp_path_factory: pytest.TempPathFactory, found: list[Finding]) -> None:
    path = tmp_path_factory.mktemp("findings") / "findings.json"
    write_findings(path, found)
    back = read_findings(path)
    assert back == sort_findings(found)
    ranks = [SEVERITIES.index(each.severity) for each in back]
    assert ranks == sorted(ranks)
    before = path.read_bytes()
    write_findings(path, reversed(found))
    assert sorted(read_findings(path), key=repr) == sorted(back, key=repr)
    write_findings(path, back)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", ["{}", '[{"code": "x"}]', '[["x"]]', '[{"ids": [], "surprise": 1}]', "5"])
def test_files_that_hold_no_findings(tmp_path: Path, content: str) -> None:
    path = tmp_path / "findings.json"
    path.write_text(content)
    with pytest.raises(GlyphoneError, match="not a list of findings"):
        read_findings(path)


@pytest.mark.parametrize(
    ("texts", "direction", "count"),
    [
        (["שלום", "سلام 12", "Paris"], "ltr", 2),
        (["שלום", "سلام 12", "Paris"], "rtl", 0),
        (["abc", "ბარი", "שלום", "12"], "rtl", 2),
        (["abc", "ბარი", "שלום", "12"], "ltr", 0),
        (["12", "3.5", "?"], "rtl", 0),
        (["the word שלום", "في Paris and London"], "ltr", 0),
        (["שלום"], "", 0),
        ([], "rtl", 0),
    ],
)
def test_lines_that_read_the_other_way(texts: list[str], direction: str, count: int) -> None:
    """Georgian and Latin read from left to right, Hebrew and Arabic do not; numbers alone and sounds say nothing."""
    samples = [sample(f"s{place}", text) for place, text in enumerate(texts)]
    found = by_code(examine(samples, {}, digests={}, lengths={}, unit="px", signals={}, direction=direction))
    if not count:
        assert "text_direction" not in found
        return
    assert (found["text_direction"].severity, found["text_direction"].count) == ("error", count)
    assert f"Set text.direction: {'ltr' if direction == 'rtl' else 'rtl'}:" in found["text_direction"].advice


def test_all_in_one_list_errors_first() -> None:
    samples = [sample("a", "ab", "eve"), sample("b", "ab", "eve", "test"), sample("c", "ba")]
    found = examine(
        samples,
        {"a": "ab\r"},
        digests={"a": "1", "b": "1"},
        lengths={},
        unit="s",
        signals={"c": [("silence", "nothing")], "a": []},
    )
    assert [each.code for each in found] == [
        "content_in_two_splits",
        "group_in_two_splits",
        "silence",
        "carriage_return",
        "seen_transcript_test",
    ]
    assert all(dataclasses.astuple(each)[5] == len(each.ids) for each in found)


def test_real_transcripts(shared_data: Path) -> None:
    """AN4: 26 of the 130 test transcripts stand in training; the corpus itself says nothing of it."""
    samples = []
    for split in ("train", "test"):
        lines = (shared_data / "speech" / "an4" / f"{split}.tsv").read_text(encoding="utf-8").splitlines()
        columns = lines[0].split("\t")
        for line in lines[1:]:
            row = dict(zip(columns, line.split("\t"), strict=True))
            samples.append(sample(row["id"], row["transcript"], row["speaker"], split))
    found = examine_texts(samples, {each.id: each.text for each in samples})
    assert [(each.code, each.count) for each in found] == [("seen_transcript_test", 26)]
