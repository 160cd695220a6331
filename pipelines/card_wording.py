"""What both model cards say in the same words: the one that a training writes, and the one of a model handed out."""

from collections.abc import Mapping, Sequence
from typing import Any

from common.markdown import code
from common.wording import plural

TASKS = {"audio": "automatic-speech-recognition", "ocr": "image-to-text"}
UNITS = {"s": "seconds of sound", "px": "pixels of width"}
OTHER_DATA = (
    "Errors on other speakers, rooms, fonts or papers may well be higher; measure them on your own data before you "
    "rely on a transcript."
)


def network_of(settings: Mapping[str, Any]) -> str:
    """What stands between slices and labels, the first words of a sentence.

    Args:
        settings: section ``network``, as ``bundle.json`` has it.
    """
    layers, units = plural(settings["num_layers"], "layer"), settings["num_hidden"]
    both = settings["bidirectional"]
    if settings["cell"] == "transformer":  # as wide as both directions of a recurrent network together
        width = plural(units * 2 if both else units, "unit")
        kind = f"a transformer of {layers} of {width}{'' if both else ', which sees the past alone'}"
    else:
        sides = "bidirectional" if both else "one-directional"
        each = " a direction" if both else ""
        kind = f"a {sides} recurrent network of {layers} ({code(settings['cell'])}) of {plural(units, 'unit')}{each}"
    convolutions = len(settings["convolutions"])
    return f"{plural(convolutions, 'convolution')} and {kind}" if convolutions else kind.replace("a", "A", 1)


def characters_of(alphabet: Sequence[str]) -> str:
    """Characters in code marks, the space made visible."""
    return code("".join(alphabet).replace(" ", "␣"))
