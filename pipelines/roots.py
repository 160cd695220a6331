"""Where corpora lie: the folder behind a ``root`` of the settings."""

import os
from pathlib import Path

from common.errors import GlyphoneError
from common.paths import inside
from common.samples import Sample

DATA_VARIABLE = "GLYPHONE_DATA"


def data_folders() -> list[Path]:
    """The folders that relative roots may lie in, the first to be tried first."""
    named = os.environ.get(DATA_VARIABLE)
    return [*([Path(named)] if named else []), Path("../shared/data"), Path("corpora"), Path()]


def download_folder(root: str) -> Path:
    """Where a downloaded corpus goes: below the data variable's folder where that is set, else below ``corpora``."""
    return data_folders()[0] / root if os.environ.get(DATA_VARIABLE) else Path("corpora") / root


def find_root(root: str) -> Path | None:
    """The existing folder of a root (absolute, or relative to one of ``data_folders()``), or None."""
    return next((folder for folder in _candidates(root) if folder.is_dir()), None)


def resolve_root(root: str, key: str, hint: str = "") -> Path:
    """The existing folder of a root; ``key`` (of the setting) and ``hint`` (what else can be done) are for the message.

    Raises:
        GlyphoneError: there is no such folder; says where it was looked for.
    """
    folder = find_root(root)
    if folder is None:
        looked, also = "", ""
        if not Path(root).expanduser().is_absolute():
            looked = f"looked for {', '.join(str(folder) for folder in _candidates(root))}; "
            also = f", or set {DATA_VARIABLE} to the folder above"
        raise GlyphoneError(f"{key}: no folder {root!r}; {looked}set it{also}" + (f", {hint}" if hint else ""))
    return folder


def find_file(name: str, key: str, what: str = "file") -> Path:
    """An existing file, absolute or relative to one of ``data_folders()``.

    Args:
        key, what: the setting that names it, and what it is, for the message.

    Raises:
        GlyphoneError: there is no such file; says where it was looked for.
    """
    for path in _candidates(name):
        if path.is_file():
            return path
    raise GlyphoneError(f"{key}: no {what} {name!r}; looked for {', '.join(map(str, _candidates(name)))}")


def _candidates(root: str) -> list[Path]:
    path = Path(root).expanduser()
    return [path] if path.is_absolute() else [folder / path for folder in data_folders()]


def check_inside(sample: Sample, root: Path) -> None:
    """Refuse a sample whose file lies outside of its corpus, here already: whatever a modality's own load does.

    Raises:
        SampleError: ``outside_corpus``.
    """
    if not sample.is_synthetic:
        inside(root, sample.path)
