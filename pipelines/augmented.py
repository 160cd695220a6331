"""A sheet of training samples beside what augmentation makes of them, to judge by eye how strong it should be.

The samples are those of data/MODALITY/slices/train.arrow, the strengths those of the section augment of params.yaml;
version N of a sample is the very one that the training sees in epoch N, unless it joins or mixes samples, or the
version is too short for its text. OUT is an HTML page or, where it ends in .png, one picture.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.errors import GlyphoneError, run
from common.wording import plural

SUFFIXES = (".html", ".htm", ".png")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    output = options.output or Path(f"augmented-{options.modality}.html")
    if output.suffix.lower() not in SUFFIXES:
        raise GlyphoneError(f"{output}: the name must end in {', '.join(SUFFIXES)}")
    # Heavy libraries only from here on: --help answers at once.
    from common.modality import generator
    from common.store import Store
    from pipelines import settings
    from pipelines.augmented_page import Picture, Row, write
    from pipelines.modalities import modality

    chosen = settings.read(options.modality, "seed", "slices", "augment")
    kind = modality(options.modality)
    augment = _with(chosen.augment, options.set)
    if mistake := next(iter(kind.mistakes(chosen.slices, augment)), ""):
        raise GlyphoneError(f"{options.modality}.augment: {mistake}")
    store = Store(Path("data") / options.modality / "slices" / "train.arrow")
    rows = []
    for place in _places(store, options.ids, options.samples, chosen.seed):
        slices = store.slices(place).astype("float32")
        sample_id = store.ids[place]
        # Time goes along, and what is spoken is drawn with its low frequencies below.
        upright, limits = kind.unit == "s", (float(slices.min()), float(slices.max()))
        for name, strengths in _alone(augment) if options.each else [("", augment)]:
            versions = [
                kind.augment(slices, strengths, generator(chosen.seed, f"augment {epoch}", sample_id))
                for epoch in range(options.versions)
            ]
            pictures = [Picture(slices, "as it is", upright, limits)]
            pictures += [Picture(each, f"version {number}", upright, limits) for number, each in enumerate(versions, 1)]
            rows.append(Row(f"{sample_id}, {name}" if name else sample_id, store.texts[place], pictures))
    if not rows:
        raise GlyphoneError(f"params.yaml: {options.modality}.augment: all changes are 0, --each has none to show")
    write(output, f"Augmented samples of {options.modality}", augment.model_dump(mode="json"), rows)
    print(f"{output}: {plural(len(rows), 'row')} of {options.versions + 1} pictures", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.augmented", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("modality", metavar="MODALITY", help="audio or ocr, a section of params.yaml")
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, help="default: augmented-MODALITY.html")
    parser.add_argument("--samples", metavar="N", type=_count, default=6, help="samples to show (%(default)s)")
    parser.add_argument("--versions", metavar="N", type=_count, default=4, help="versions of each (%(default)s)")
    parser.add_argument("--ids", metavar="ID", nargs="+", default=[], help="these samples; default: some by chance")
    parser.add_argument(
        "--each", action="store_true", help="each change that is on by itself, a row each, with probability 1"
    )
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="try another strength than that of params.yaml, e.g. --set noise=0.3; may be given again",
    )
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r}: a number from 1 to 1000 is needed")
    return int(text)


def _with(augment: Any, changes: Sequence[str]) -> Any:
    """The settings with ``KEY=VALUE`` pairs laid over. Raises GlyphoneError naming key, value and what is allowed."""
    from pydantic import ValidationError
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    tree = augment.model_dump(mode="json")
    for change in changes:
        key, _, value = change.partition("=")
        if key not in tree:
            raise GlyphoneError(f"--set {change}: unknown key; allowed: {', '.join(sorted(tree))}")
        try:
            tree[key] = YAML(typ="safe", pure=True).load(value)
            type(augment).model_validate(tree, strict=True)
        except (ValidationError, YAMLError) as error:
            message = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "not a value of YAML"
            raise GlyphoneError(f"--set {change}: {message}") from None
    return type(augment).model_validate(tree)


def _alone(augment: Any) -> list[tuple[str, Any]]:
    """Each change that is on, alone and always: (its name and strength, the settings with all others off)."""
    how: frozenset[str] = getattr(type(augment), "HOW", frozenset())
    how_often: frozenset[str] = getattr(type(augment), "HOW_OFTEN", frozenset())
    tree = {name: 1.0 if value and name in how_often else value for name, value in augment.model_dump().items()}
    certain = {"probability": 1.0} if "probability" in how else {}
    names = [name for name, value in tree.items() if name not in how and value]
    off = {name: 0 for name in tree if name not in how}
    return [
        (f"{name}: {tree[name]:g}", augment.model_copy(update={**off, **certain, name: tree[name]})) for name in names
    ]


def _places(store: Any, ids: Sequence[str], count: int, seed: int) -> list[int]:
    """Rows of the store: those of these ids, or some by chance."""
    from common.modality import generator

    if ids:
        missing = [each for each in ids if each not in store.ids]
        if missing:
            raise GlyphoneError(f"{store.path}: no sample {', '.join(missing)}; ids stand in data/…/samples.jsonl")
        return [store.ids.index(each) for each in ids]
    usable = [row for row, length in enumerate(store.lengths) if length]
    if not usable:
        raise GlyphoneError(f"{store.path}: no sample with slices to show")
    random = generator(seed, "augmented", "")
    return sorted(random.choice(usable, size=min(count, len(usable)), replace=False).tolist())


if __name__ == "__main__":
    run(main)
