"""Weights from a trained model, also where it knows other characters."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from common.alphabet import BLANK, Alphabet
from common.bundle import BundleError, read_bundle
from common.errors import GlyphoneError
from common.network import Network
from common.recurrent.layers import RecurrentLayer
from common.wording import count, plural

# The weights of a character that starts from none are its fresh ones times this: near zero, and no two alike.
NEAR_ZERO = 0.01
# Characters that a line names at most: scripts may have thousands.
MAX_NAMED = 100
# One axis of these is labels.
LABEL_AXES = {"head.weight": 0, "head.bias": 0, "condition.weight": 1}


@dataclass(frozen=True)
class Origin:
    """A model folder that a training starts from.

    Attributes:
        key: what has it start from there, for messages.
        called: what messages call the model, whose folder may be an unpacked archive's.
        section: the settings of the training, for messages.
    """

    folder: Path
    key: str
    called: str
    section: str = "training"


def warm_start(
    network: Network, alphabet: Alphabet, origin: Origin, new_characters: Mapping[str, str]
) -> tuple[list[str], dict[str, Any]]:
    """Overwrite the weights of a fresh network with those of a model; characters go by name, not by number.

    A character that the model lacks starts from the one that ``new_characters`` names, or with weights near zero and
    the lowest bias of all characters, so that the network at first writes what the model would.

    Returns:
        Lines that say what changed, and the model's ``summary``.

    Raises:
        GlyphoneError: there is no model; its network is of another shape or cell; ``new_characters`` names what is not
            there.
    """
    try:
        bundle = read_bundle(origin.folder)
    except BundleError as error:
        raise GlyphoneError(f"{origin.key}: {error}") from None
    old = bundle.network.state_dict()
    weights = network.state_dict()
    _check_shapes(old, weights, origin)
    there, here = _cell_of(bundle.network), _cell_of(network)
    if there != here:  # weights of one shape that mean other things
        raise GlyphoneError(f"{origin.key}: {origin.called} does not fit: its cells are {there}, here they are {here}")
    for new, like in new_characters.items():
        setting = f"{origin.section}.new_characters.{new}"
        if new not in alphabet.symbols or new in bundle.alphabet.symbols:
            where = "is in the model already" if new in bundle.alphabet.symbols else "is in no training text"
            raise GlyphoneError(f"{setting}: {new!r} {where}; allowed: characters that only the training texts have")
        if like not in bundle.alphabet.symbols:
            known = _named(bundle.alphabet.symbols)
            where = f"is not in the alphabet of {origin.called}; allowed: one of {known}"
            raise GlyphoneError(f"{setting}: {like!r} {where}")

    labels = {symbol: label for label, symbol in enumerate(bundle.alphabet.symbols, BLANK + 1)}
    for name, tensor in weights.items():
        axis = LABEL_AXES.get(name)
        if axis is None:
            tensor.copy_(old[name])
            continue
        known, fresh = old[name].movedim(axis, 0), tensor.movedim(axis, 0)
        rows = [known[BLANK]]
        for label, symbol in enumerate(alphabet.symbols, BLANK + 1):
            source = labels.get(symbol, labels.get(new_characters.get(symbol, "")))
            if source is not None:
                rows.append(known[source])
            elif name == "head.bias":
                rows.append(known[BLANK + 1 :].min())
            else:
                rows.append(NEAR_ZERO * fresh[label])
        fresh.copy_(torch.stack(rows))
    return _changes(alphabet, bundle.alphabet, new_characters, origin.called), bundle.summary


def _check_shapes(old: Mapping[str, torch.Tensor], new: Mapping[str, torch.Tensor], origin: Origin) -> None:
    for name in sorted({*old, *new}):
        # But for the labels, whose number may differ, a shape must be the same.
        axis = LABEL_AXES.get(name)
        shapes = [
            [size for place, size in enumerate(weights[name].shape) if place != axis] if name in weights else None
            for weights in (old, new)
        ]
        if shapes[0] != shapes[1]:
            there, here = ("missing" if shape is None else shape for shape in shapes)
            raise GlyphoneError(
                f"{origin.key}: {origin.called} does not fit: {name} is {there} there and {here} here; "
                f"`network` and `slices` must be as its bundle.json says, all but what has no weights"
            )


def _cell_of(network: Network) -> str:
    first = network.encoder.layers[0]
    return first.kind if isinstance(first, RecurrentLayer) else f"those of a transformer with {first.num_heads} heads"


def _changes(alphabet: Alphabet, old: Alphabet, new_characters: Mapping[str, str], called: str) -> list[str]:
    kept = [symbol for symbol in alphabet.symbols if symbol in old.symbols]
    fresh = [symbol for symbol in alphabet.symbols if symbol not in old.symbols and symbol not in new_characters]
    gone = [symbol for symbol in old.symbols if symbol not in alphabet.symbols]
    told = plural(len(kept), "character keeps its weights", "characters keep their weights")
    lines = [f"warm start from {called}: {told}"]
    if new_characters:
        lines.append("new, from another: " + " ".join(f"{new}←{like}" for new, like in sorted(new_characters.items())))
    if fresh:
        lines.append(f"new, from near zero: {_named(fresh)}")
    if gone:
        lines.append(f"gone, in no training text: {_named(gone)}")
    return lines


def _named(symbols: Sequence[str]) -> str:
    """In quotes; a mark stands on a dotted circle, since it would change the letter before it."""
    marked = (f"\u25cc{each}" if unicodedata.category(each).startswith("M") else each for each in symbols[:MAX_NAMED])
    left = len(symbols) - MAX_NAMED
    return repr("".join(marked)) + (f" and {count(left)} more" if left > 0 else "")
