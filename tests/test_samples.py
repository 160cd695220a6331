from itertools import cycle, islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import GlyphoneError
from common.files import read_jsonl
from common.samples import (
    REASONS,
    SPLITS,
    Rejection,
    Sample,
    check_rejected_share,
    read_rejections,
    read_samples,
    write_rejections,
    write_samples,
)

QUICK = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
texts = st.text(st.characters(codec="utf-8"), max_size=8)
seconds = st.none() | st.floats(0, 1e4)
samples = st.lists(
    st.builds(
        Sample,
        id=texts,
        path=texts,
        text=texts,
        group=texts,
        split=st.sampled_from(SPLITS),
        start=seconds,
        end=seconds,
        box=st.none() | st.tuples(*[st.integers(0, 99)] * 4),
        page_size=st.none() | st.tuples(*[st.integers(1, 99)] * 2),
        corpus=texts,
        licence=texts,
    ),
    max_size=6,
    unique_by=lambda sample: sample.id,
)
rejections = st.lists(st.builds(Rejection, texts, texts, st.sampled_from(sorted(REASONS)), texts, texts), max_size=6)


@QUICK
@given(samples=samples)
def test_samples_are_read_as_written(tmp_path: Path, samples: list[Sample]) -> None:
    path, again = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    assert write_samples(path, samples) == len(samples)
    assert read_samples(path) == sorted(samples, key=lambda sample: sample.id)
    write_samples(again, reversed(samples))
    assert path.read_bytes() == again.read_bytes()


@QUICK
@given(rejected=rejections)
def test_rejections_are_read_as_written(tmp_path: Path, rejected: list[Rejection]) -> None:
    path = tmp_path / "a.jsonl"
    assert write_rejections(path, rejected) == len(rejected)
    back = read_rejections(path)
    assert sorted(back, key=repr) == sorted(rejected, key=repr)
    assert [each.id for each in back] == sorted(each.id for each in rejected)


def test_absent_fields_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write_samples(path, [Sample("a", "a.wav", "", "g", "train"), Sample("b", "b.wav", "x", "g", "test", start=0.0)])
    assert list(read_jsonl(path)) == [
        {"id": "a", "path": "a.wav", "text": "", "group": "g", "split": "train"},
        {"id": "b", "path": "b.wav", "text": "x", "group": "g", "split": "test", "start": 0.0},
    ]


@pytest.mark.parametrize(
    "line",
    [
        '{"id": "a"}',
        '{"id": "a", "path": "p", "text": "t", "group": "g", "split": "test", "speed": 2}',
        '{"id": "a", "path": "p", "text": "t", "group": "g", "split": "test", "box": 5}',
        '{"id": "a", "path": "p", "text": "t", "group": "g", "split": "dev"}',
    ],
)
def test_lines_that_are_no_samples(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(GlyphoneError, match=r"not a sample: .*; stage prepare writes it") as caught:
        read_samples(path)
    assert str(path) in str(caught.value)


def test_lines_that_are_no_rejections(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "a"}\n')
    with pytest.raises(GlyphoneError, match="not a rejection"):
        read_rejections(path)


@QUICK
@given(num_all=st.integers(0, 500), share=st.floats(0, 1), limit=st.floats(0, 1))
def test_the_share_of_rejected_samples(num_all: int, share: float, limit: float) -> None:
    num_rejected = int(share * num_all)
    codes = ["unreadable", "missing_file", "missing_file"]
    rejections = [
        Rejection(f"{number:03}", "prepare", code, f"{number:03}.wav: {code}" if number % 2 else code)
        for number, code in enumerate(islice(cycle(codes), num_rejected))
    ]
    if num_rejected > limit * num_all + 1e-9:
        with pytest.raises(
            GlyphoneError, match=f"^{num_rejected} of {num_all} samples rejected .* data/rejected.jsonl$"
        ) as caught:
            check_rejected_share(rejections[::-1], num_all, limit, "data/rejected.jsonl")
        first = "001.wav: missing_file" if num_rejected > 1 else "000: unreadable"
        assert f", as {first}; the reasons" in str(caught.value)
    elif num_rejected < limit * num_all - 1e-9 or num_rejected == 0:
        check_rejected_share(rejections, num_all, limit, "data/rejected.jsonl")


def test_generated_samples_are_known_by_their_path() -> None:
    assert Sample("a", "synthesis:7:clean", "x", "g", "test").is_synthetic
    assert not Sample("a", "synthesis/a.wav", "x", "g", "test").is_synthetic
