"""The model folders that vote with the one that is evaluated: where they are, and their digest."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from common.decoding.places import LANGUAGE_FOLDER
from common.errors import GlyphoneError
from pipelines.listing import DIGEST_LENGTH, file_digest
from pipelines.roots import find_file
from pipelines.warm_model import DESCRIPTION, model_digest


def voters_key(name: str) -> str:
    """The key of ``params.yaml`` that names the voters of modality ``name``."""
    return f"{name}.evaluate.voters"


def voter_folders(voters: Sequence[str], name: str) -> list[Path]:
    """The model folders that ``evaluate.voters`` of modality ``name`` names.

    Raises:
        GlyphoneError: there is no such model, it stands twice, or it is the one that is evaluated.
    """
    key = voters_key(name)
    folders = [find_file(f"{voter}/{DESCRIPTION}", key).parent for voter in voters]
    taken = {(Path("models") / name).resolve(): "is the model that is evaluated, which votes anyway"}
    for voter, folder in zip(voters, folders, strict=True):
        if (resolved := folder.resolve()) in taken:
            raise GlyphoneError(f"{key}: {voter} {taken[resolved]}; name other model folders")
        taken[resolved] = "stands twice"
    return folders


def voters_digest(folders: Sequence[Path]) -> str:
    """Digest of all that decides what the models say: descriptions, weights, decoders and language models."""
    digests = []
    for folder in folders:
        digests.append(model_digest(folder))
        language = sorted(path for path in (folder / LANGUAGE_FOLDER).glob("**/*") if path.is_file())
        digests += [f"{path.relative_to(folder).as_posix()} {file_digest(path)}" for path in language]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()[:DIGEST_LENGTH]
