"""A result file that grows row by row and can be gone on with after any interruption.

Beside ``FILE`` stands ``FILE.progress``: a first line that says what the rows were made with, and a line for each row:
which input, how large it was, where its row ends, the row's checksum. A row counts once its progress line is on the
disk; what stands behind the last such row was cut short by a kill and is cut off.
"""

import json
import os
import zlib
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from common.errors import GlyphoneError
from common.files import to_json

try:
    import fcntl
except ImportError:  # Windows: two runs at once are not noticed there
    fcntl = None  # type: ignore[assignment]


class Journal:
    """Result file and its progress file.

    Args:
        path: the result file; begun where it does not exist.
        header: its first bytes.
        origin: what must be the same to go on: format, model, settings. Key → value, shown in messages.
        restart: throw away what is there.

    Raises:
        GlyphoneError: the file has rows of another origin, was changed by somebody else, was not written by this
            class, or another process is writing it now.
    """

    def __init__(self, path: str | Path, header: str, origin: Mapping[str, str], restart: bool = False) -> None:
        self.path = Path(path)
        self.progress_path = self.path.parent / f"{self.path.name}.progress"
        self.header = header.encode("utf-8")
        self.origin = dict(origin)
        self.restart = restart
        # (input, its size in bytes) of the rows that are there
        self.done: set[tuple[str, int]] = set()
        self.entries: list[tuple[str, int]] = []  # the same in the order of the rows

    def __enter__(self) -> Self:
        if self.path.exists() and not self.path.is_file():
            raise GlyphoneError(f"{self.path}: a folder or a device; name a file for the results")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._is_ours = not self.path.exists()
        is_new = self._is_ours or not self.path.stat().st_size
        if not is_new and not self.progress_path.exists() and not self.restart:
            raise GlyphoneError(
                f"{self.path}: exists, and {self.progress_path.name} beside it does not; "
                "name another file, or --restart"
            )
        self._progress = open(self.progress_path, "a+b")
        try:
            self._lock()
            self._file = open(self.path, "ab")
            try:
                self._go_on()
            except BaseException:
                with suppress(OSError):  # on a full disk closing fails too
                    self._file.close()
                raise
        except BaseException as error:
            with suppress(OSError):
                self._progress.close()
            if isinstance(error, OSError):
                raise self._unwritable(error) from None
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for file in (self._file, self._progress):
            # After an error, a full disk perhaps, what could not be written must not hide the first complaint.
            with suppress(OSError) if error is not None else nullcontext():
                file.close()
        if error is not None and self._is_ours and not self.entries:  # no rows: as if it had never been begun
            for path in (self.path, self.progress_path):
                with suppress(OSError):
                    path.unlink()

    def add(self, rows: Sequence[tuple[str, int, str]]) -> None:
        """Append rows (input, its size in bytes, text of the row); they are on the disk when this returns."""
        try:
            self._append(rows)
        except OSError as error:
            raise self._unwritable(error) from None

    def _append(self, rows: Sequence[tuple[str, int, str]]) -> None:
        lines = []
        for key, num_bytes, text in rows:
            data = text.encode("utf-8")
            self._file.write(data)
            self._end += len(data)
            lines.append(to_json({"input": key, "bytes": num_bytes, "end": self._end, "crc": zlib.crc32(data)}) + "\n")
            self.done.add((key, num_bytes))
            self.entries.append((key, num_bytes))
        # First the rows, then the word that they are there.
        _sync(self._file)
        self._progress.write("".join(lines).encode("utf-8"))
        _sync(self._progress)

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._progress, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise GlyphoneError(f"{self.path}: another process is writing it now") from None

    def _go_on(self) -> None:
        self._progress.seek(0)
        lines = [] if self.restart else [line for line in self._progress.readlines() if line.endswith(b"\n")]
        num_kept_bytes = 0
        self._end = 0
        if len(lines) > 1:  # without rows there is nothing that another origin would be mixed with
            self._check_origin(lines[0])
            num_kept_bytes = len(lines[0])
            with open(self.path, "rb") as written:
                if written.read(len(self.header)) == self.header:
                    self._end = len(self.header)
                    num_kept_bytes += self._read_rows(lines[1:], written)
        self._file.truncate(self._end)
        self._progress.truncate(num_kept_bytes)
        if not num_kept_bytes:
            self._progress.write((to_json(self.origin) + "\n").encode("utf-8"))
            _sync(self._progress)
        if not self._end:
            self._file.write(self.header)
            _sync(self._file)
            self._end = len(self.header)

    def _check_origin(self, line: bytes) -> None:
        origin = self._parsed(line)
        for key, value in self.origin.items():
            if origin.get(key) != value:
                raise GlyphoneError(
                    f"{self.path}: begun with {key} {origin.get(key)}, now it is {value}; "
                    "name another file, or --restart"
                )

    def _read_rows(self, lines: Sequence[bytes], written: BinaryIO) -> int:
        """Take the rows that are there in full; return the length of their progress lines."""
        num_bytes = 0
        num_written = self.path.stat().st_size
        for line in lines:
            entry = self._parsed(line)
            try:
                key, size, end, crc = entry["input"], entry["bytes"], entry["end"], entry["crc"]
                if not isinstance(key, str) or not all(isinstance(each, int) for each in (size, end, crc)):
                    raise TypeError(entry)
                if end > num_written:
                    break
                data = written.read(end - self._end)
            except (KeyError, TypeError, ValueError):
                raise self._damaged() from None
            if zlib.crc32(data) != crc:
                raise GlyphoneError(f"{self.path}: changed since it was written; name another file, or --restart")
            self._end = end
            self.done.add((key, size))
            self.entries.append((key, size))
            num_bytes += len(line)
        return num_bytes

    def _parsed(self, line: bytes) -> dict[str, Any]:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            raise self._damaged() from None
        if not isinstance(entry, dict):
            raise self._damaged()
        return entry

    def _unwritable(self, error: OSError) -> GlyphoneError:
        reason = error.strerror or str(error)
        return GlyphoneError(f"{self.path}: cannot be written: {reason}; the same command goes on there")

    def _damaged(self) -> GlyphoneError:
        return GlyphoneError(f"{self.progress_path}: damaged; name another file for the results, or --restart")


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
