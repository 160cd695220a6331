"""Models that settings name, folders or archives: where they are, their digest, and the one training starts from."""

import hashlib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.archive import unpacked
from common.errors import GlyphoneError
from pipelines.listing import file_digest
from pipelines.roots import find_file

# What of a model folder decides where a training starts; their names are those of common.bundle, which imports torch.
DESCRIPTION, WEIGHTS = "bundle.json", "model.safetensors"


def find_model(model: str, key: str) -> Path:
    """The model folder that the setting ``key`` names, or the zip archive of one.

    Raises:
        GlyphoneError: there is none.
    """
    try:
        return find_file(f"{model}/{DESCRIPTION}", key).parent
    except GlyphoneError:
        archive = find_file(model, key, "model folder or archive")
    if not zipfile.is_zipfile(archive):
        raise GlyphoneError(f"{key}: {model}: neither a model folder nor the zip archive of one")
    return archive


@contextmanager
def warm_start_folder(model: str, name: str) -> Iterator[Path]:
    """The folder of the model that ``training.warm_start`` of a modality names; an archive is unpacked meanwhile.

    Raises:
        GlyphoneError: there is none, its archive is damaged, or it is the one that the training would overwrite.
    """
    key = f"{name}.training.warm_start"
    found = find_model(model, key)
    if found.resolve() == (Path("models") / name).resolve():
        raise GlyphoneError(f"{key}: {model} is what this training writes; copy it to another folder and name that")
    with unpacked(found) as folder:
        yield folder


def model_digest(folder: Path) -> str:
    """Digest of description and weights."""
    digests = [file_digest(folder / each) for each in (DESCRIPTION, WEIGHTS) if (folder / each).is_file()]
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()[: len(digests[0])]
