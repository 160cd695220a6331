"""The pages about data and formats name what the code knows: readers, settings, columns, reasons, fields."""

import re
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from common.decoding.settings import DecodingSettings
from common.doctor_signals import SIGNAL_CODES
from common.grouping import SPLIT_NAMES
from common.manifest import ALIASES
from common.output import FORMATS as OUTPUTS
from common.samples import REASONS, Rejection, Sample
from common.scoring import ScoredRow, score
from common.store import StoreWriter
from common.store_format import COLUMNS, StoreMetadata
from common.writers import WRITERS
from pipelines.evaluate import scores_of
from pipelines.modalities import MODULES, modality
from pipelines.stage_settings import TuneSettings

REPOSITORY = Path(__file__).resolve().parent.parent
ROOMS = ("common", "audio", "ocr", "pipelines")
DATA = (REPOSITORY / "docs" / "data.md").read_text(encoding="utf-8")
FORMATS = (REPOSITORY / "docs" / "formats.md").read_text(encoding="utf-8")
SOURCES = {path: path.read_text(encoding="utf-8") for room in ROOMS for path in (REPOSITORY / room).rglob("*.py")}


def sections(page: str) -> dict[str, str]:
    """Title → text of the second-level sections of a page."""
    parts = re.split(r"^## (.+)$", page, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def marked(text: str) -> set[str]:
    """What stands in code marks."""
    return set(re.findall(r"`([^`\n]+)`", text))


@pytest.mark.parametrize("name", list(MODULES))
def test_every_reader_has_a_section_with_its_settings(name: str) -> None:
    for reader, entry in modality(name).corpora.items():
        text = sections(DATA).get(reader)
        assert text is not None, reader
        inherited = set().union(*(base.model_fields for base in entry.Settings.__mro__[1:-1] if _has_fields(base)))
        assert set(entry.Settings.model_fields) - inherited <= marked(text), reader


def _has_fields(base: type) -> bool:
    return bool(getattr(base, "model_fields", None))


def test_every_column_of_a_manifest_is_named() -> None:
    text = sections(DATA)["manifest"]
    assert {*ALIASES, *ALIASES.values()} <= marked(text)
    assert all(re.search(rf"\b{name}\b", text) for name in SPLIT_NAMES if name)


def test_every_reason_that_is_given_is_explained() -> None:
    uses = "\n".join(text for path, text in SOURCES.items() if path.name != "samples.py")
    given = {code for code in REASONS if f'"{code}"' in uses}
    assert len(given) >= 10
    assert given == set(re.findall(r"^\| `(\w+)` \|", sections(DATA)["What is rejected"], re.M))


def test_every_code_of_a_finding_is_named() -> None:
    doctors = [text for path, text in SOURCES.items() if path.name.startswith("doctor_")]
    codes = {code for text in doctors for code in re.findall(r'\(\s*f?"([a-z_{}]+)",\s*"(?:error|warning|note)"', text)}
    codes |= {code for code in SIGNAL_CODES if any(f'yield "{code}"' in text for text in SOURCES.values())}
    # Samples without text are rejected before they are examined.
    expected = {code.replace("{split}", split) for code in codes - {"empty_text"} for split in ("validation", "test")}
    assert len(expected) >= 25
    assert expected == {each for row in _rows(sections(DATA)["What is found"]) for each in marked(row)}


def _rows(text: str) -> list[str]:
    return [line.partition(" | ")[2] for line in text.splitlines() if line.startswith("| ")]


def test_fields_of_samples_and_rejections_are_named() -> None:
    text = sections(FORMATS)
    assert set(Sample.__dataclass_fields__) <= marked(text["samples.jsonl"])
    assert set(Rejection.__dataclass_fields__) <= marked(text["rejected.jsonl, findings.json"])


def test_columns_and_metadata_of_a_store_are_named() -> None:
    names = marked(sections(FORMATS)["Slices"])
    assert set(COLUMNS.names) <= names
    assert set(StoreMetadata.__dataclass_fields__) <= names


def test_keys_of_metrics_and_scores_are_named() -> None:
    rows = [ScoredRow(str(number), f"a/{number % 3}", "A B", "A C", number > 3, 1.0) for number in range(9)]
    metrics = score(rows, num_samples=5)
    text = sections(FORMATS)
    assert _keys(metrics) - {"seen", "unseen"} <= marked(text["metrics.json"])
    named = [line.split(" | ")[0] for line in text["scores.json"].splitlines() if line.startswith("| `")]
    assert set(scores_of({**metrics, "validation": metrics})) == set().union(*map(marked, named))


def _keys(tree: object) -> set[str]:
    if isinstance(tree, dict):
        return set(tree).union(*map(_keys, tree.values()))
    return set().union(*map(_keys, tree)) if isinstance(tree, list) else set()


def test_keys_that_stages_write_are_named() -> None:
    """Those of hypotheses.jsonl, training.json and the bundle, as the code spells them."""
    for source, function, section in (
        ("pipelines/evaluate.py", "transcribed", "hypotheses.jsonl"),
        ("common/output.py", "details", "hypotheses.jsonl"),
        ("pipelines/training_summary.py", "costs", "history.csv, training.json"),
        ("pipelines/training_summary.py", "describe", "The model folder"),
        ("common/bundle.py", "write_bundle", "The model folder"),
    ):
        body = re.search(rf"^def {function}\(.*?(?=^def |\Z)", SOURCES[REPOSITORY / source], re.M | re.S)
        assert body is not None
        keys = re.findall(r'^ +"(\w+)": ', body[0], re.M)
        names = {name.rpartition(".")[2] for name in marked(sections(FORMATS)[section])}
        assert len(keys) >= 3
        assert set(keys) - {"summary"} <= names, f"{source}: {function}"


@pytest.mark.parametrize(
    ("page", "title", "model"),
    [
        ("augmentation", "Speech: `audio.augment`", modality("audio").AugmentSettings),
        ("augmentation", "Text images: `ocr.augment`", modality("ocr").AugmentSettings),
        ("language", "Settings of `tune`", TuneSettings),
    ],
)
def test_tables_of_settings_have_all_of_them_with_their_defaults(page: str, title: str, model: type[BaseModel]) -> None:
    text = sections((REPOSITORY / "docs" / f"{page}.md").read_text(encoding="utf-8"))[title]
    assert _defaults(text) == {name: field.default for name, field in model.model_fields.items()}


def test_the_table_of_decoding_with_language_has_the_defaults() -> None:
    text = sections((REPOSITORY / "docs" / "language.md").read_text(encoding="utf-8"))["Settings of `decoding`"]
    fields = DecodingSettings.model_fields
    assert _defaults(text) == {name: fields[name].default for name in _defaults(text)}
    assert {"alpha", "beta", "beam_margin", "lexicon", "unknown_score", "hotwords"} <= set(_defaults(text))


def _defaults(text: str) -> dict[str, object]:
    """Key → default of tables whose first columns are these."""
    cells = re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", text, re.M)
    return {key: _value(default) for key, default in cells}


def _value(cell: str) -> object:
    """`word`, 1 and 1, 2, 3 as a setting has them."""
    if cell.startswith("`"):
        return {"{}": {}}.get(cell.strip("`"), cell.strip("`"))
    numbers = tuple(float(each) for each in cell.split(", "))
    return numbers if len(numbers) > 1 else numbers[0]


def test_every_format_of_transcribe_is_named() -> None:
    text = sections(FORMATS)["What transcribe writes"]
    assert {*OUTPUTS, *(name for writers in WRITERS.values() for name in writers)} <= marked(text)
    assert {writer.suffix for writers in WRITERS.values() for writer in writers.values()} <= marked(text)


def test_the_example_reads_a_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    matrix = np.arange(12, dtype=np.float32).reshape(4, 3)
    with StoreWriter(
        tmp_path / "data" / "ocr" / "slices" / "test.arrow",
        modality="ocr", num_features=3, step=1.0, unit="px", settings={}, samples_digest="",
    ) as store:  # fmt: skip
        store.add("one", "g", "word", matrix)
    monkeypatch.chdir(tmp_path)
    example = re.search(r"```python\n(.*?)```", FORMATS, re.S)
    assert example is not None
    names: dict[str, object] = {}
    exec(example[1], names)
    np.testing.assert_array_equal(names["matrix"], matrix)
    assert capsys.readouterr().out == "one (4, 3) word\n"
