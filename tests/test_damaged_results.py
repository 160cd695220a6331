"""Whatever became of the files that a command reads, one line says which of them and what to do; never a traceback."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import GlyphoneError
from common.report.gather import gather
from common.report.page import render
from common.report.sources import read_sources
from pipelines.compare import main as compare
from tests.damage import JUNK, changed, places_of
from tests.report_world import build, rows_of

MODALITY = "audio"
STAGES = {
    "results/audio/metrics.json": "evaluate",
    "results/audio/hypotheses.jsonl": "evaluate",
    "results/audio/lengths.csv": "evaluate",
    "results/audio/history.csv": "train",
    "results/audio/training.json": "train",
    "results/audio/training_rejected.jsonl": "train",
    "models/audio/bundle.json": "train",
    "models/audio/language/decoding.json": "tune",
    "data/audio/findings.json": "prepare",
    "data/audio/rejected.jsonl": "prepare",
    "data/audio/slices/rejected.jsonl": "extract",
    "data/audio/slices/test.arrow": "extract",
}
JSON = [path for path in STAGES if ".json" in path]
QUICK = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("whole")
    build(root, MODALITY, rows_of(6), num_epochs=3)
    chosen = {"settings": {"engine": "beam_lm", "beam_width": 16}}
    (root / "models/audio/language").mkdir()
    (root / "models/audio/language/decoding.json").write_text(json.dumps(chosen), encoding="utf-8")
    return root


@pytest.fixture
def world(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(whole, tmp_path / "world")
    monkeypatch.chdir(tmp_path / "world")
    return tmp_path / "world"


def said(stage: str) -> str:
    """What the report complains of; "" where it made its page."""
    try:
        render(gather(read_sources(MODALITY), MODALITY, "default", 3, 1, {"decoding": {"engine": "beam_lm"}}))
    except GlyphoneError as error:
        assert "\n" not in str(error) and len(str(error)) < 600
        assert f"stage {stage} writes it" in str(error) or "extract again" in str(error)
        return str(error)
    return ""


@pytest.mark.parametrize("path", STAGES)
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\xfd", b"\0" * 9, b"{}", b"[]", b"5", b"[" * 100_000, b"a\nb,c\n"])
def test_a_file_that_holds_something_else_is_named(world: Path, path: str, content: bytes) -> None:
    (world / path).write_bytes(content)
    message = said(STAGES[path])
    # No line is as good as a file without rejections, an empty list one without findings.
    is_well = (path.endswith("rejected.jsonl") and not content) or (path.endswith("findings.json") and content == b"[]")
    if not is_well and (path, content) != ("results/audio/hypotheses.jsonl", b""):
        assert message.startswith(path), message


@QUICK
@given(path=st.sampled_from(list(STAGES)), data=st.data())
def test_a_file_that_was_cut_or_overwritten_is_no_traceback(
    whole: Path, world: Path, path: str, data: st.DataObject
) -> None:
    content = (whole / path).read_bytes()
    place = data.draw(st.integers(0, len(content)))
    rest = data.draw(st.sampled_from([b"", content[place + 1 :]]))
    (world / path).write_bytes(content[:place] + data.draw(st.binary(max_size=3)) + rest)
    message = said(STAGES[path])
    (world / path).write_bytes(content)
    assert not message or path in message


@settings(QUICK, max_examples=60)
@given(path=st.sampled_from(JSON), data=st.data())
def test_a_value_of_another_kind_is_no_traceback(whole: Path, world: Path, path: str, data: st.DataObject) -> None:
    text = (whole / path).read_text(encoding="utf-8")
    is_lines = path.endswith(".jsonl")
    tree = [json.loads(line) for line in text.splitlines()] if is_lines else json.loads(text)
    place = data.draw(st.sampled_from([place for place in places_of(tree) if place]))
    tree = changed(tree, place, data.draw(st.sampled_from([*JUNK, ...])))
    text = "\n".join(map(json.dumps, tree)) if is_lines else json.dumps(tree)
    (world / path).write_text(text, encoding="utf-8")
    message = said(STAGES[path])
    shutil.copy(whole / path, world / path)
    assert not message or message.startswith(path)


@pytest.mark.parametrize("path", ["results/audio/metrics.json", "results/audio/hypotheses.jsonl"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\xfd", b"{}", b"[]", b'{"words": {"errors": NaN}}', b"5"])
def test_runs_that_cannot_be_compared_are_named(world: Path, path: str, content: bytes) -> None:
    (world / path).write_bytes(content)
    with pytest.raises(GlyphoneError, match=path.rpartition("/")[2]) as caught:
        compare(["results/audio", "results/audio"])
    assert "\n" not in str(caught.value)
