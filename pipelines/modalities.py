"""The modalities there are: the only place that knows both sound and images. A new one is a folder and a line here."""

from importlib import import_module

from common.errors import GlyphoneError
from common.modality import Modality

# Name → module that exports MODALITY; imported when asked for, so that sound needs no OpenCV and --help needs neither.
MODULES = {
    "audio": "audio.modality",
    "ocr": "ocr.modality",
}


def modality(name: str) -> Modality:
    """The modality of that name. Raises GlyphoneError naming those there are."""
    if name not in MODULES:
        raise GlyphoneError(f"modality {name!r}: there are {', '.join(MODULES)}")
    return import_module(MODULES[name]).MODALITY
