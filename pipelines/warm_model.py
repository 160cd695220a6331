"""The model folder that a training starts from: where it is, and its digest."""

import hashlib
from pathlib import Path

from common.errors import GlyphoneError
from pipelines.listing import file_digest
from pipelines.roots import find_file

# What of a model folder decides where a training starts; their names are those of common.bundle, which imports torch.
DESCRIPTION, WEIGHTS = "bundle.json", "model.safetensors"


def warm_start_folder(folder: str, name: str) -> Path:
    """The model folder that ``training.warm_start`` of modality ``name`` names.

    Raises:
        GlyphoneError: there is none, or it is the one that the training would overwrite.
    """
    key = f"{name}.training.warm_start"
    try:
        found = find_file(f"{folder}/{DESCRIPTION}", key).parent
    except GlyphoneError as error:
        raise GlyphoneError(f"{error}; allowed: a model folder, no ONNX file, an archive only unpacked") from None
    if found.resolve() == (Path("models") / name).resolve():
        raise GlyphoneError(f"{key}: {folder} is what this training writes; copy it to another folder and name that")
    return found


def model_digest(folder: Path) -> str:
    """Digest of description and weights."""
    digests = [file_digest(folder / each) for each in (DESCRIPTION, WEIGHTS) if (folder / each).is_file()]
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()[: len(digests[0])]
