"""The variants that ``ablations`` trains: a table of settings that differ from a small base recipe."""

import copy
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmarks.recipes import set_keys
from benchmarks.workspace import REPOSITORY
from common.errors import GlyphoneError, SettingsError
from common.files import to_json

TABLE = REPOSITORY / "benchmarks" / "ablations.yaml"
MODALITIES = ("audio", "ocr")
BASE = "base"
# The variant whose settings are the base's: the base trained again, on another processor.
AGAIN = "again"
# Sections of a modality that decide what is trained on, and the weights.
DATA_SECTIONS = ("corpora", "text", "prepare", "slices", "extract")
SECTIONS = (*DATA_SECTIONS, "augment", "network", "training")


class Variant(BaseModel):
    """One row of the table; keys of settings are dotted and stand below a modality's section."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    about: str
    source: str = ""
    settings: dict[str, Any] = {}  # of both modalities
    audio: dict[str, Any] = {}
    ocr: dict[str, Any] = {}

    def differs(self, modality: str) -> dict[str, Any]:
        """The settings that differ from the base; empty where the variant is not meant for this modality."""
        return self.settings | getattr(self, modality)


def base_recipe(modality: str) -> Path:
    return TABLE.with_name(f"ablations_{modality}.yaml")


def read_variants(path: Path = TABLE) -> list[Variant]:
    """The variants in the order of the file, the base first.

    Raises:
        GlyphoneError: the file is no list of variants; all mistakes, a line each. A name that stands twice.
    """
    from pipelines.settings import load

    rows = load(path).get("variants", [])
    variants, mistakes = [Variant(name=BASE, about="the base recipe")], []
    for number, row in enumerate(rows):
        try:
            variants.append(Variant.model_validate(row, strict=True))
        except ValidationError as error:
            mistakes += [
                f"{path}: variants.{number}.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()
            ]
    names = [variant.name for variant in variants]
    mistakes += [f"{path}: the name {name!r} stands twice" for name in sorted(set(names)) if names.count(name) > 1]
    if mistakes:
        raise GlyphoneError("\n".join(mistakes))
    return variants


def of_modality(variants: list[Variant], modality: str) -> list[Variant]:
    """The base and the variants that are meant for a modality."""
    return [variant for variant in variants if variant.name == BASE or variant.differs(modality)]


def base_tree(modality: str) -> dict[str, Any]:
    """All settings of the base recipe as plain values, without the digests of its corpora's files."""
    from pipelines.recipe import compose

    return plain(compose(str(base_recipe(modality))))


def plain(value: Any) -> Any:
    """Maps, lists and numbers of a YAML file without the comments and forms that they are written in."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def tree_of(variant: Variant, modality: str, base: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a variant: the base's, with those that differ."""
    tree = copy.deepcopy(dict(base))
    set_keys(tree, {f"{modality}.{key}": value for key, value in variant.differs(modality).items()}, TABLE)
    return tree


def fingerprint(tree: Mapping[str, Any], modality: str) -> str:
    """Digest of all settings that decide the weights, without the digests of corpora's files and the seed.

    A cell of the table counts for as long as its fingerprint is that of the variant: a change to the base makes all
    cells stale, a change to one variant its own.
    """
    sections = {name: tree[modality].get(name) for name in SECTIONS}
    sections["corpora"] = [{k: v for k, v in each.items() if k != "listing"} for each in sections["corpora"]]
    return hashlib.sha256(to_json(sections).encode()).hexdigest()[:16]


def refusal(tree: Mapping[str, Any], modality: str) -> str:
    """Why a variant cannot be trained with this version: ``not there yet`` or ``refused``, with the keys; else empty.

    One variant that cannot be trained stops no other.
    """
    from pipelines.settings import check

    try:
        check(tree, modality, TABLE)
    except SettingsError as error:
        mistakes = [mistake.removeprefix(f"{TABLE}: ") for mistake in str(error).splitlines()]
        if all(mistake.endswith("unknown key") for mistake in mistakes):
            return "not there yet: " + ", ".join(mistake.partition(":")[0] for mistake in mistakes)
        return "refused: " + "; ".join(mistakes)
    return ""


def chosen(variants: list[Variant], only: list[str]) -> Iterator[Variant]:
    """The variants named, in the table's order, and the base, which all are compared with; all where none is named.

    Raises:
        GlyphoneError: there is no variant of that name.
    """
    if missing := sorted(set(only) - {variant.name for variant in variants}):
        raise GlyphoneError(f"variant {', '.join(missing)}: there are {', '.join(each.name for each in variants)}")
    return (variant for variant in variants if not only or variant.name in {BASE, *only})
