"""Weights from a trained model, also where it knows other characters."""

import unicodedata
from collections.abc import Mapping, Sequence
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
KEY = "training.warm_start"
# Characters that a line names at most: scripts may have thousands.
MAX_NAMED = 100
# One axis of these is labels.
LABEL_AXES = {"head.weight": 0, "head.bias": 0, "condition.weight": 1}


def warm_start(
    network: Network,
    alphabet: Alphabet,
    folder: str | Path,
    new_characters: Mapping[str, str],
    key: str = KEY,
    called: str = "",
) -> tuple[list[str], dict[str, Any]]:
    """Overwrite the weights of a fresh network with those of a model folder; characters go by name, not by number.

    A character that the model lacks starts from the one that ``new_characters`` names, or with weights near zero and
    the lowest bias of all characters, so that the network at first writes what the model would.

    Args:
        key: what has it start from that model, for messages.
        called: what the model is called in messages, where its folder is an unpacked archive's.

    Returns:
        Lines that say what changed, and the model's ``summary``.

    Raises:
        GlyphoneError: there is no model; its network is of another shape or cell; ``new_characters`` names what is not
            there.
    """
    try:
        bundle = read_bundle(folder)
    except BundleError as error:
        raise GlyphoneError(f"{key}: {error}") from None
    called = called or str(folder)
    old = bundle.network.state_dict()
    weights = network.state_dict()
    _check_shapes(old, weights, called, key)
    there, here = _cell_of(bundle.network), _cell_of(network)
    if there != here:  # weights of one shape that mean other things
        raise GlyphoneError(f"{key}: {called} does not fit: its cells are {there}, here they are {here}")
    for new, like in new_characters.items():
        setting = f"training.new_characters.{new}"
        if new not in alphabet.symbols or new in bundle.alphabet.symbols:
            where = "is in the model already" if new in bundle.alphabet.symbols else "is in no training text"
            raise GlyphoneError(f"{setting}: {new!r} {where}; allowed: characters that only the training texts have")
        if like not in bundle.alphabet.symbols:
            known = _named(bundle.alphabet.symbols)
            raise GlyphoneError(f"{setting}: {like!r} is not in the alphabet of {called}; allowed: one of {known}")

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
    return _changes(alphabet, bundle.alphabet, new_characters, called), bundle.summary


def _check_shapes(old: Mapping[str, torch.Tensor], new: Mapping[str, torch.Tensor], called: str, key: str) -> None:
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
                f"{key}: {called} does not fit: {name} is {there} there and {here} here; "
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
