"""The pages about data and formats name what the code knows: readers, settings, columns, reasons, fields."""

import re
from pathlib import Path
from pydoc import locate

import numpy as np
import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from common.decoding.settings import DecodingSettings, RescoringSettings
from common.doctor_signals import SIGNAL_CODES
from common.grouping import SPLIT_NAMES
from common.language.settings import CharacterSettings
from common.manifest import ALIASES, FolderSettings, ManifestSettings
from common.network_settings import ConvolutionSettings, NetworkSettings
from common.output import FORMATS as OUTPUTS
from common.samples import REASONS, Rejection, Sample
from common.scoring import ScoredRow, score
from common.store import StoreWriter
from common.store_format import COLUMNS, StoreMetadata
from common.training.stream_settings import StreamSettings
from common.writers import WRITERS
from pipelines.evaluate import scores_of
from pipelines.modalities import MODULES, modality
from pipelines.recipe import compose, merge
from pipelines.settings import MODELS, check
from pipelines.stage_settings import TuneSettings

REPOSITORY = Path(__file__).resolve().parent.parent
ROOMS = ("common", "audio", "ocr", "pipelines")
DATA = (REPOSITORY / "docs" / "data.md").read_text(encoding="utf-8")
FORMATS = (REPOSITORY / "docs" / "formats.md").read_text(encoding="utf-8")
SECTION_MODELS = {name: locate(address.replace(":", ".")) for name, address in MODELS.items()}
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
        ("data", "Slices of speech", modality("audio").SliceSettings),
        ("data", "Slices of text images", modality("ocr").SliceSettings),
    ],
)
def test_tables_of_settings_have_all_of_them_with_their_defaults(page: str, title: str, model: type[BaseModel]) -> None:
    text = sections((REPOSITORY / "docs" / f"{page}.md").read_text(encoding="utf-8"))[title]
    assert _defaults(text) == {name: field.default for name, field in model.model_fields.items()}


@pytest.mark.parametrize(
    ("page", "title", "model", "num_named"),
    [
        ("language", "Settings of `decoding`", DecodingSettings, 7),
        ("language", "The character model", CharacterSettings, 17),
        ("decoding", "key", DecodingSettings, 5),
        ("cells", "key", NetworkSettings, 9),
        ("data", "manifest", ManifestSettings, 6),
        ("data", "folder", FolderSettings, 3),
        ("data", "kaldi", modality("audio").corpora["kaldi"].Settings, 3),
        ("data", "page_xml", modality("ocr").corpora["page_xml"].Settings, 2),
    ],
)
def test_tables_of_settings_have_the_defaults(page: str, title: str, model: type[BaseModel], num_named: int) -> None:
    text = (REPOSITORY / "docs" / f"{page}.md").read_text(encoding="utf-8")
    found = _defaults(sections(text).get(title, text))
    fields = model.model_fields | (RescoringSettings.model_fields if model is CharacterSettings else {})
    known = {name: default for name, default in found.items() if name in fields}
    assert known == {name: fields[name].default for name in known}
    assert len(known) == num_named, "a row is gone, or is not read"


def _defaults(text: str) -> dict[str, object]:
    """Key → default of the tables that have both columns; a row of several keys has a default for all or one each."""
    found: dict[str, object] = {}
    column = 0
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if "default" in cells:
            column = cells.index("default")
        elif not line.startswith("|"):
            column = 0
        elif column and (keys := re.findall(r"`(\w+)`", cells[0])):
            each = cells[column].split(", ")
            found |= {
                key: _value(each[place] if len(each) == len(keys) else cells[column]) for place, key in enumerate(keys)
            }
    return found


def _value(cell: str) -> object:
    """`word`, 1 and 1, 2, 3 as a setting has them."""
    words = {"true": True, "false": False, "{}": {}}
    if cell.startswith("`"):
        return words.get(cell.strip("`"), cell.strip("`"))
    if (named := {**words, "empty": "", "none": None, "all": None}).keys() & {cell}:
        return named[cell]
    numbers = tuple(float(each) for each in cell.split(", "))
    return numbers if len(numbers) > 1 else numbers[0]


def test_every_setting_is_named_in_a_page_or_in_the_default_recipe() -> None:
    pages = [REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")]
    texts = [page.read_text(encoding="utf-8") for page in pages]
    named = set(re.findall(r"\w+", (REPOSITORY / "recipes" / "default.yaml").read_text(encoding="utf-8")))
    named.update(*(re.findall(r"\w+", part) for text in texts for part in re.findall(r"```.*?```|`[^`]+`", text, re.S)))
    models = [SECTION_MODELS[name] for name in MODELS]
    models += [each for name in MODULES for each in (modality(name).SliceSettings, modality(name).AugmentSettings)]
    models += [NetworkSettings, ConvolutionSettings, StreamSettings, CharacterSettings, RescoringSettings]
    assert not {field for model in models for field in model.model_fields} - named


def test_the_table_of_sections_says_which_stages_read_them() -> None:
    text = sections((REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8"))["Settings"]
    told: dict[str, set[str]] = {}
    for keys, stages in re.findall(r"^\| (`.+?`) \| .+ \| ([^|]+) \|$", text, re.M):
        for key in re.findall(r"`(\w+)`", keys):
            told[key] = {key} if stages == "the stage of that name" else set(stages.split(", "))
    asked: dict[str, set[str]] = {}
    content = YAML(typ="safe", pure=True).load((REPOSITORY / "dvc.yaml").read_text(encoding="utf-8"))
    for stage, entry in content["stages"].items():
        for key in entry.get("params", ()):
            if "." in key:
                asked.setdefault(key.rpartition(".")[2], set()).add(stage)
    assert told == asked


PAGES = sorted((REPOSITORY / "docs").glob("*.md"))
EXAMPLES = [
    pytest.param(block, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"^```yaml\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S))
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_of_settings_are_accepted(example: str) -> None:
    """Whole recipes, and sections alone, which stand below either modality."""
    given = YAML(typ="safe", pure=True).load(example)
    base = given.pop("extends", "default")
    for name in MODULES:
        if name not in given and given.keys() & set(MODULES):
            continue
        tree = compose(base)
        merge(tree, {name: given.get(name, given)})
        check(tree, name, "the example")


def test_the_examples_of_ctcdecodes_interface_run() -> None:
    text = (REPOSITORY / "docs" / "decoding.md").read_text(encoding="utf-8")
    probs = np.full((2, 4, 3), 1 / 3, np.float32)
    chunks = [(probs[:, :2], [False, False]), (probs[:, 2:], [True, True])]
    names = {"labels": ["_", "a", "b"], "probs": probs, "seq_lens": [4, 3], "batch_size": 2, "chunks": chunks}
    for example in re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S):
        exec(example, names)
    assert {"decoder", "best", "states"} <= names.keys()


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
