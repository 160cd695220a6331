"""The models that vote with the one that is evaluated, folders or archives: where they are, and their digest."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from common.archive import unpacked
from common.decoding.places import LANGUAGE_FOLDER
from common.errors import GlyphoneError
from pipelines.listing import DIGEST_LENGTH, file_digest
from pipelines.warm_model import find_model, model_digest


def voters_key(name: str) -> str:
    """The key of ``params.yaml`` that names the voters of modality ``name``."""
    return f"{name}.evaluate.voters"


@contextmanager
def voter_folders(voters: Sequence[str], name: str) -> Iterator[list[Path]]:
    """The folders of the models that ``evaluate.voters`` of modality ``name`` names; archives are unpacked meanwhile.

    Raises:
        GlyphoneError: there is no such model, it stands twice, it is the one that is evaluated, or its archive is
            damaged.
    """
    key = voters_key(name)
    paths = [find_model(voter, key) for voter in voters]
    check_distinct(voters, paths, Path("models") / name, "is the model that is evaluated, which votes anyway", key)
    with ExitStack() as stack:
        yield [stack.enter_context(unpacked(path)) for path in paths]


def check_distinct(voters: Sequence[str], paths: Sequence[Path], main: Path, what_main_is: str, key: str) -> None:
    """Refuse a model that would vote twice, and so outvote others.

    Args:
        voters: the names of ``paths``, for messages; ``key`` is that of the setting or option.

    Raises:
        GlyphoneError: two of them are one, or one is ``main``.
    """
    taken = {main.resolve(): what_main_is}
    for voter, path in zip(voters, paths, strict=True):
        if (resolved := path.resolve()) in taken:
            raise GlyphoneError(f"{key}: {voter} {taken[resolved]}; name other models")
        taken[resolved] = "stands twice"


def voters_digest(folders: Sequence[Path]) -> str:
    """Digest of all that decides what the models say: descriptions, weights, decoders and language models."""
    digests = []
    for folder in folders:
        digests.append(model_digest(folder))
        language = sorted(path for path in (folder / LANGUAGE_FOLDER).glob("**/*") if path.is_file())
        digests += [f"{path.relative_to(folder).as_posix()} {file_digest(path)}" for path in language]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()[:DIGEST_LENGTH]
