"""``params.yaml`` as typed sections: the whole file is checked, and every mistake reported, before any work."""

import json
import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from common.errors import SettingsError
from common.modality import CorpusReader, Modality
from common.shapes import sentence
from pipelines import combinations
from pipelines.modalities import MODULES, modality

PARAMS = "params.yaml"

# Section → module:model. By name, since a stage's result depends on the sections it asks for, not on the others'
# code: DVC then retrains for a change in the training settings' module but not for one in the decoder's.
MODELS = {
    "text": "common.text:TextSettings",
    "prepare": "pipelines.stage_settings:PrepareSettings",
    "extract": "pipelines.stage_settings:ExtractSettings",
    "language": "common.language.settings:LanguageSettings",
    "network": "common.network_settings:NetworkSettings",
    "pretraining": "common.training.settings:TrainingSettings",
    "training": "common.training.settings:TrainingSettings",
    "decoding": "common.decoding.settings:DecodingSettings",
    "adaptation": "common.adaptation.settings:AdaptationSettings",
    "tune": "pipelines.stage_settings:TuneSettings",
    "evaluate": "pipelines.stage_settings:EvaluateSettings",
    "report": "pipelines.stage_settings:ReportSettings",
}
# Sections whose models the modality brings.
OWN_MODELS = {"slices": "SliceSettings", "augment": "AugmentSettings"}
# In which lines are read: a setting of the section text, and of readers that draw lines.
DIRECTION = "direction"
SECTIONS = ("corpora", *MODELS, *OWN_MODELS)


class CorpusSettings(BaseModel):
    """What every corpus of a modality has; the reader's own settings stand beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reader: str
    # How reports call it; the reader's name where empty. Unique.
    name: str = ""
    # Folder: absolute, or relative to one of pipelines.roots.data_folders().
    root: str = ""
    # Digest of the files below root, filled in by pipelines.recipe, so that DVC sees a changed corpus.
    listing: str = ""


@dataclass(frozen=True)
class Corpus:
    """One entry of ``corpora``: the common settings, and the reader's own ones (None while not asked for)."""

    key: str
    reader: str
    name: str
    root: str
    own: Any


class TopSettings(BaseModel):
    """The keys beside the modalities."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(ge=0, lt=2**63)
    recipe: str = ""
    modalities: tuple[str, ...] = Field(min_length=1)


def read(name: str, *keys: str, path: str | Path = PARAMS) -> SimpleNamespace:
    """Check all settings, hand out those of one modality, and name on standard error what has no effect of them.

    The modality's own sections are checked in full; of the other modalities those that are common to all, since
    checking the rest would import their libraries.

    Args:
        keys: sections of the modality, or ``seed``, ``recipe``, ``modalities``. ``dvc.yaml`` names the same ones.

    Returns:
        A namespace with one attribute a key; ``corpora`` is a tuple of ``Corpus``.

    Raises:
        SettingsError: one line a mistake: key, value, what is allowed, file.
    """
    checked = check(load(path), name, path)
    for section, told in combinations.idle(checked):
        if section in keys:
            _tell(f"{path}: {name}.{told}")
    return SimpleNamespace(**{key: checked[key] for key in keys})


@cache  # once a command, however often it reads its settings
def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def check(tree: Mapping[str, Any], name: str, path: str | Path) -> dict[str, Any]:
    """The checked sections of modality ``name`` and the top keys; ``path`` is for messages. Raises as ``read``."""
    mistakes: list[str] = []
    top = {key: value for key, value in tree.items() if key not in MODULES}
    checked: dict[str, Any] = dict(_check(TopSettings, top, "", mistakes) or {})
    unknown = sorted(set(checked.get("modalities", ())) - set(MODULES))
    mistakes += [f"modalities: {each!r}: there are {', '.join(MODULES)}" for each in unknown]
    if name not in MODULES:
        mistakes.append(f"{name}: no such modality; there are {', '.join(MODULES)}")
    elif name not in tree:
        mistakes.append(f"{name}: no such section; every modality that is asked for needs one")
    for each in MODULES:
        if each in tree:
            sections = _check_modality(each, tree[each], each == name, mistakes)
            checked.update(sections if each == name else {})
    if mistakes:
        # A key or value may hold a line break itself.
        raise SettingsError("\n".join(" ".join(f"{path}: {mistake}".splitlines()) for mistake in mistakes))
    return checked


def load(path: str | Path, comments: bool = False) -> dict[str, Any]:
    """The tree of a YAML 1.2 file (``1e-3`` is a number there), with its comments for writing it again if asked for.

    Raises:
        SettingsError: the file is missing, not YAML, or no map.
    """
    try:
        tree = YAML(typ="rt" if comments else "safe", pure=True).load(Path(path).read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file; `python -m pipelines.recipe default` writes params.yaml") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not UTF-8: {error}") from None
    except YAMLError as error:
        raise SettingsError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        found = "nothing" if tree is None else "a list" if isinstance(tree, list) else repr(tree)
        raise SettingsError(f"{path}: a map of settings is needed, not {found}")
    return tree


def _check_modality(name: str, sections: Any, full: bool, mistakes: list[str]) -> dict[str, Any]:
    if not isinstance(sections, Mapping):
        mistakes.append(f"{name}: {sections!r}: a map of sections is needed")
        return {}
    allowed = ", ".join(SECTIONS)
    mistakes += [f"{name}.{key}: unknown; allowed: {allowed}" for key in sections if key not in SECTIONS]
    checked: dict[str, Any] = {}
    models = {section: _model(address) for section, address in MODELS.items()}
    if full:
        models |= {section: getattr(modality(name), attribute) for section, attribute in OWN_MODELS.items()}
    for section, model in models.items():
        checked[section] = _check(model, sections.get(section, {}), f"{name}.{section}", mistakes)
    corpora = _check_corpora(name, sections.get("corpora"), full, checked["text"], mistakes)
    checked["corpora"] = tuple(corpora)
    mistakes += [f"{name}.{each}" for each in combinations.mistakes(checked)]
    if full and _is_right_to_left(checked["text"]) and modality(name).unit != "px":
        mistakes.append(f"{name}.text.direction: 'rtl': is of lines in pictures; transcripts of sounds are always ltr")
    if full and checked["slices"] is not None and checked["augment"] is not None:
        found = modality(name).mistakes(checked["slices"], checked["augment"])
        mistakes += [f"{name}.augment: {mistake}" for mistake in found]
    for section in ("pretraining", "training"):
        _check_draw([corpus.name for corpus in checked["corpora"]], checked[section], f"{name}.{section}", mistakes)
        if full:
            _check_stream(modality(name), checked[section], checked["text"], f"{name}.{section}", mistakes)
    return checked


def _is_right_to_left(text: Any) -> bool:
    """Of the checked section, None where it has mistakes."""
    return text is not None and text.direction == "rtl"


def _check_draw(corpora: list[str], chosen: Any, key: str, mistakes: list[str]) -> None:
    """Samples are drawn from corpora that there are: a misspelled name would mean that all are used."""
    if chosen is not None:
        unknown = sorted(set(chosen.draw) - set(corpora))
        mistakes += [f"{key}.draw.{each}: no such corpus; there are {', '.join(corpora)}" for each in unknown]


def _check_stream(kind: Modality, chosen: Any, text: Any, key: str, mistakes: list[str]) -> None:
    """The settings of a stream's generator, which are those of a reader of the modality."""
    if chosen is None or not (chosen.stream.samples or chosen.stream.generator):
        return
    if (reader := stream_reader(kind)) is None:
        mistakes.append(
            f"{key}.stream.samples: {chosen.stream.samples}: {kind.name} has no generator of samples, only 0"
        )
        return
    if chosen.stream.samples and _is_right_to_left(text) and not _draws_lines(reader):
        mistakes.append(
            f"{key}.stream.samples: {chosen.stream.samples}: made samples read from left to right; with "
            f"{kind.name}.text.direction: rtl only 0"
        )
    _check_reader(reader, chosen.stream.generator, text, f"{key}.stream.generator", mistakes)


def _check_reader(reader: CorpusReader, own: Mapping[str, Any], text: Any, key: str, mistakes: list[str]) -> Any:
    """A reader's own settings. The direction of lines that it draws is that of the texts: nobody sets it twice."""
    if text is None or not _draws_lines(reader):
        return _check(reader.Settings, own, key, mistakes)
    if DIRECTION in own:
        mistakes.append(f"{key}.{DIRECTION}: {own[DIRECTION]!r}: text.{DIRECTION} says it; leave this key out")
    return _check(reader.Settings, with_direction(reader, own, text), key, mistakes)


def _draws_lines(reader: CorpusReader) -> bool:
    return DIRECTION in reader.Settings.model_fields


def with_direction(reader: CorpusReader, own: Mapping[str, Any], text: Any) -> dict[str, Any]:
    """A reader's own settings; of one that draws lines with the direction of the texts."""
    return {**own, DIRECTION: text.direction} if _draws_lines(reader) else dict(own)


def stream_reader(kind: Modality) -> CorpusReader | None:
    """The reader of a modality that makes its samples one by one, or None."""
    return next((each for _, each in sorted(kind.corpora.items()) if each.recipe is not None), None)


def _check_corpora(name: str, entries: Any, full: bool, text: Any, mistakes: list[str]) -> Iterator[Corpus]:
    if not isinstance(entries, list) or not entries:
        mistakes.append(f"{name}.corpora: {entries!r}: a list of at least one corpus is needed")
        return
    names: set[str] = set()
    for number, entry in enumerate(entries):
        key = f"{name}.corpora.{number}"
        if not isinstance(entry, Mapping):
            mistakes.append(f"{key}: {entry!r}: a map with at least `reader` is needed")
            continue
        shared = {field: value for field, value in entry.items() if field in CorpusSettings.model_fields}
        corpus = _check(CorpusSettings, shared, key, mistakes)
        if corpus is None:
            continue
        corpus_name = corpus.name or corpus.reader
        if corpus_name in names:
            mistakes.append(f"{key}.name: {corpus_name!r} stands twice; give each corpus a `name` of its own")
        names.add(corpus_name)
        own = None
        if full:
            readers = modality(name).corpora
            if corpus.reader not in readers:
                mistakes.append(f"{key}.reader: {corpus.reader!r}: there are {', '.join(sorted(readers))}")
                continue
            rest = {field: value for field, value in entry.items() if field not in shared}
            own = _check_reader(readers[corpus.reader], rest, text, key, mistakes)
        yield Corpus(key, corpus.reader, corpus_name, corpus.root, own)


def _model(address: str) -> type[BaseModel]:
    module, _, name = address.partition(":")
    return getattr(import_module(module), name)


def _check(model: type[BaseModel], value: Any, key: str, mistakes: list[str]) -> Any:
    """The validated model; or None, with one line a mistake added to ``mistakes``."""
    # No setting has a meaning for what YAML writes as .inf and .nan, and no file is called with a zero byte, whatever
    # limits its model has. What else is wrong in the section is told when they are mended.
    if meaningless := list(_meaningless(value, key)):
        mistakes += meaningless
        return None
    try:
        # Strict: no text for a number, no number for text. As JSON, since then a list may stand for a tuple.
        return model.model_validate_json(json.dumps(value, default=str), strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False)
        within = {each["loc"][:end] for each in found for end in range(len(each["loc"]))}
        for each in found:
            if each["type"] == "too_short" and each["loc"] in within:
                continue  # it holds too few only without the items that are wrong, which are told
            where = ".".join(filter(None, [key, *map(str, each["loc"])]))
            given = "" if each["type"] == "missing" else f"{each['input']!r}: "
            mistakes.append(f"{where}: {given}{sentence(each)}")
        return None


def _meaningless(value: Any, key: str) -> Iterator[str]:
    """A line for each number below ``key`` that is infinite or none at all, and each text with a zero byte."""
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{key}: {value}: must be a finite number"
    elif isinstance(value, str) and "\0" in value:
        yield f"{key}: {value!r}: must not hold a zero byte"
    elif isinstance(value, Mapping | list):
        for name, each in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _meaningless(each, f"{key}.{name}".removeprefix("."))
