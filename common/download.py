"""Fetch an archive from its official address: resuming, checked, unpacked whole or not at all."""

import errno
import hashlib
import http.client
import lzma
import os
import shutil
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from common.errors import GlyphoneError
from common.files import DISK_ERRORS

CHUNK_BYTES = 1 << 20
TIMEOUT_SECONDS = 30
ATTEMPTS = 8
# An archive from outside may not fill the disk: no corpus that we name unpacks to more.
MAX_UNPACKED_BYTES = 200 << 30
MAX_MEMBERS = 2_000_000
# What zipfile and tarfile raise of archives that are none any more.
DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, NotImplementedError, UnicodeDecodeError,
)  # fmt: skip


def fetch(url: str, sha256: str, folder: Path, member: str = "", pause_seconds: float = 1.0) -> None:
    """Download an archive and unpack it to ``folder``, which must not exist yet: all of it, or its folder ``member``.

    A broken download is kept as ``FOLDER.archive.part`` and gone on with, after a pause and after a new start alike.
    The archive is unpacked into a temporary folder beside, which is renamed when all is there.

    Raises:
        GlyphoneError: no connection, a wrong checksum, not an archive, or one that would write outside of its folder.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    archive = folder.with_name(folder.name + ".archive.part")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _download(url, archive)
            break
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code < 500:
                raise GlyphoneError(f"{url}: {error.code} {error.reason}") from None
            if attempt == ATTEMPTS:
                raise GlyphoneError(f"{url}: {error}; start the same command again to go on") from None
            time.sleep(pause_seconds * attempt)
    with open(archive, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        archive.unlink()
        raise GlyphoneError(f"{url}: sha256 is {found}, not {sha256}; the file is deleted")
    unpack(archive, folder, member)
    archive.unlink()


def _download(url: str, archive: Path) -> None:
    """Append to ``archive`` what it lacks of the file at ``url``. Raises OSError, HTTPException: try again."""
    have = archive.stat().st_size if archive.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # Nothing is left to fetch; the checksum says whether it is right.
        raise
    with answer, open(archive, "ab") as file:
        if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            file.truncate(0)  # The server cannot resume: all of it comes again.
        expected = answer.headers.get("Content-Length")
        received = 0
        while chunk := answer.read(CHUNK_BYTES):
            file.write(chunk)
            received += len(chunk)
    if expected is not None and received < int(expected):
        raise ConnectionError(f"the connection broke after {received} of {expected} bytes")


def unpack(
    archive: Path,
    folder: Path,
    member: str = "",
    max_bytes: int = MAX_UNPACKED_BYTES,
    max_members: int = MAX_MEMBERS,
) -> None:
    """Unpack a zip or tar archive to ``folder``; it is there whole or not at all.

    Only plain files and folders are taken. Sizes are counted while they are written, not believed.

    Args:
        member: the folder inside the archive that becomes ``folder``; empty: all of the archive does.

    Raises:
        GlyphoneError: the folder exists, or the archive is none, damaged, too large, holds links or devices or would
            write outside of the folder.
        OSError: the disk is full or broken; names ``folder``.
    """
    if folder.exists():
        raise GlyphoneError(f"{folder}: exists already; nothing was unpacked")
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".part"))
    try:
        target = temporary / "content"
        target.mkdir()
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, target, max_bytes, max_members)
        elif tarfile.is_tarfile(archive):
            _unpack_tar(archive, target, max_bytes, max_members)
        else:
            raise GlyphoneError(f"{archive}: neither a zip nor a tar archive")
        if not (target / member).is_dir():
            raise GlyphoneError(f"{archive}: no folder {member!r} in it")
        os.replace(target / member, folder)
    except DAMAGED as error:
        raise GlyphoneError(f"{archive}: a damaged archive: {error}") from None
    except OSError as error:
        if error.errno in DISK_ERRORS:
            raise OSError(error.errno, error.strerror, str(folder)) from None
        if error.errno != errno.EINVAL:
            raise
        raise GlyphoneError(f"{archive}: a damaged archive: a place in it lies before its beginning") from None
    finally:
        shutil.rmtree(temporary)


def _unpack_zip(archive: Path, target: Path, max_bytes: int, max_members: int) -> None:
    with zipfile.ZipFile(archive) as members:
        room = max_bytes
        for number, member in enumerate(members.infolist(), 1):
            _check_count(archive, number, max_members)
            path = _place(archive, member.filename, target)
            kind = (member.external_attr >> 16) & 0o170000
            if kind not in (0, 0o100000, 0o040000):
                raise GlyphoneError(f"{archive}: {member.filename!r} is a link or device")
            if member.flag_bits & 1:
                raise GlyphoneError(f"{archive}: {member.filename!r} is encrypted")
            if member.is_dir():
                path.mkdir(parents=True, exist_ok=True)
                continue
            with members.open(member) as source:
                room -= _copy(archive, source, path, room)


def _unpack_tar(archive: Path, target: Path, max_bytes: int, max_members: int) -> None:
    with tarfile.open(archive) as members:
        room = max_bytes
        for number, member in enumerate(members, 1):
            _check_count(archive, number, max_members)
            path = _place(archive, member.name, target)
            if member.isdir():
                path.mkdir(parents=True, exist_ok=True)
                continue
            source = members.extractfile(member) if member.isreg() else None
            if source is None:
                raise GlyphoneError(f"{archive}: {member.name!r} is a link or device")
            with source:
                room -= _copy(archive, source, path, room)


def _check_count(archive: Path, number: int, max_members: int) -> None:
    if number > max_members:
        raise GlyphoneError(f"{archive}: more than {max_members} files")


def _place(archive: Path, name: str, target: Path) -> Path:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not name or name.startswith(("/", "\\")) or ".." in parts or ":" in name or "\0" in name:
        raise GlyphoneError(f"{archive}: {name!r} leads out of the folder")
    return target.joinpath(*parts)


def _copy(archive: Path, source: IO[bytes], path: Path, room: int) -> int:
    """Write a member to ``path``; return its bytes. Raises GlyphoneError when there are more than ``room``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with open(path, "xb") as file:
        while chunk := source.read(CHUNK_BYTES):
            written += len(chunk)
            if written > room:
                raise GlyphoneError(f"{archive}: unpacks to more than the limit of bytes")
            file.write(chunk)
    return written
