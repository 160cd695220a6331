"""A model as one archive: written with the same bytes for the same content, and opened as if it were a folder."""

import hashlib
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from common.download import unpack
from common.errors import GlyphoneError
from common.files import atomic

DESCRIPTION = "bundle.json"  # as in common.bundle, which takes torch to import
SUMS = "SHA256SUMS"
# An archive from a stranger may not fill the disk.
MAX_BYTES = 4 << 30
MAX_FILES = 1000
# Zip files carry times; all members have the earliest that the format knows.
NO_TIME = (1980, 1, 1, 0, 0, 0)
PLAIN_FILE = 0o100644 << 16


def sums_of(files: Mapping[str, bytes]) -> str:
    """Digests as ``sha256sum --check`` reads them, sorted by name."""
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))


def write_zip(path: Path, folder: str, files: Mapping[str, bytes]) -> None:
    """Write files, by their names below ``folder``, as a zip archive."""
    with atomic(path) as target, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            member = zipfile.ZipInfo(f"{folder}/{name}", NO_TIME)
            member.external_attr = PLAIN_FILE
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, files[name])


@contextmanager
def unpacked(model: str | Path, max_bytes: int = MAX_BYTES) -> Iterator[Path]:
    """The model's folder: ``model`` itself, or where it is a zip archive, a temporary folder with its content.

    Raises:
        GlyphoneError: the archive is damaged, too large, would write outside of its folder or holds no model, or a file
            in it is not the one that its digest was taken of.
    """
    model = Path(model)
    if not (model.is_file() and zipfile.is_zipfile(model)):
        yield model
        return
    with tempfile.TemporaryDirectory(prefix="glyphone-") as temporary:
        folder = Path(temporary) / "archive"
        unpack(model, folder, max_bytes=max_bytes, max_members=MAX_FILES)
        found = [path.parent for path in (folder / DESCRIPTION, *folder.glob(f"*/{DESCRIPTION}")) if path.is_file()]
        if len(found) != 1:
            raise GlyphoneError(f"{model}: holds {len(found)} models, folders with {DESCRIPTION}; one is needed")
        check_sums(model, found[0])
        yield found[0]


def check_sums(archive: Path, folder: Path) -> None:
    """Raise GlyphoneError where a file is missing or not as ``SHA256SUMS`` says; without that file all is well."""
    if not (folder / SUMS).is_file():
        return
    for line in (folder / SUMS).read_text(encoding="utf-8", errors="replace").splitlines():
        match = re.fullmatch(r"([0-9a-f]{64})  ([^/].*)", line)
        if match is None or ".." in PurePosixPath(match[2]).parts:
            raise GlyphoneError(f"{archive}: {SUMS} has a line that is no digest and name: {line[:100]!r}")
        path = folder / match[2]
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != match[1]:
            raise GlyphoneError(f"{archive}: {match[2]} is missing or damaged, its SHA-256 is not the one in {SUMS}")
