"""From a sound file to a waveform: one channel, its own rate, bounded before it is unpacked.

libsndfile reads wav, flac, ogg/vorbis, opus, mp3, sph and more. A path may name a member of a zip archive,
``archive.zip!folder/file.flac``: it is read from memory, nothing is unpacked to disk.
"""

import io
import lzma
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from audio.streams import with_length
from audio.truncation import flaw
from common.errors import SampleError
from common.paths import missing

# What `soundfile` opens and people have; AAC and video need FFmpeg, which is no package that pip installs.
SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".sph", ".aiff", ".aif", ".au"})
FORMATS = "wav, flac, ogg, opus, mp3, sph, aiff or au"
MEMBER = "!"

MAX_CHANNELS = 64
MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 768_000
# 93 minutes at 48 kHz: 1 GiB as float32. A flac of silence of a few MB could otherwise fill any memory.
MAX_FRAMES = 2**28
MAX_MEMBER_BYTES = 2**30
HEADER_BYTES = 2**12  # holds what is told before the samples, in most files
BLOCK_VALUES = 2**20
# Channels cancel each other out where less than this share of their power is left in their mean; of unlike ones that is
# 1 / channels. A few of the frames tell it.
CANCELLED, TELLING = 1e-3, 31
# Where libsndfile misses the place that it seeks, reading begins so many seconds before: frames of mp3 borrow bits from
# those before, and in the last page of Ogg, 255 packets at most, it lands beside.
EARLY_S = {"MP3": 1, "OGG": 10}
# What a damaged or locked member of an archive raises, by the way that it is packed.
BAD_MEMBERS = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, NotImplementedError, EOFError, RuntimeError,
    UnicodeDecodeError,
)  # fmt: skip
# Lists of segments round their times; what lies further outside the file is a mistake.
TIME_TOLERANCE_S = 0.02
# Streams that were written without knowing their length announce 0 or about 2 or 4 GiB.
UNKNOWN_LENGTH_BYTES = 0x7FFF0000


@dataclass(frozen=True)
class Sound:
    """A waveform float32 [N] of one channel in [-1, 1], and its rate."""

    waveform: np.ndarray
    rate_hz: int

    @property
    def seconds(self) -> float:
        return len(self.waveform) / self.rate_hz


def read(path: str | Path, start: float | None = None, end: float | None = None) -> Sound:
    """Read a sound file, or the seconds [start, end) of it; channels are averaged.

    Float files above full scale are scaled down by their peak, not clipped.

    Raises:
        SampleError: ``missing_file``, ``unreadable`` (no sound, truncated, shorten-compressed sph, NaN), ``over_limit``
            (channels, rate, length), ``out_of_range`` (start, end), ``empty_signal`` (no frames, opposite channels).
    """
    import soundfile  # not at the top: every --help would wait for it

    with _opened(str(path)) as (file, header):
        _check_header(path, header)
        if found := flaw(file, header):
            raise SampleError("unreadable", f"{path}: {found}")
        try:
            with with_length(file, MAX_FRAMES, MAX_MEMBER_BYTES) as sound:
                _check_limits(path, sound, header)
                first, last = _frame_range(path, sound, start, end)
                waveform = _read_frames(path, sound, first, last)
                rate_hz = sound.samplerate
        except soundfile.LibsndfileError as error:
            detail = error.error_string.rstrip(". ")
            raise SampleError(
                "unreadable", f"{path}: not a sound file or damaged: {detail}; {FORMATS} is read"
            ) from None
    return Sound(_checked(path, waveform), rate_hz)


def rate_ratio(from_hz: int, to_hz: int) -> Fraction:
    """from / to with a denominator of at most 1000, so that a resampler's filters stay small.

    Exact for all usual rates; at the worst, for odd ones, off by 0.05 %.
    """
    return Fraction(from_hz, to_hz).limit_denominator(1000)


@contextmanager
def _opened(path: str) -> Iterator[tuple[Any, bytes]]:
    """What ``soundfile`` can open, and its first bytes."""
    # A folder above the archive may have the mark in its name too.
    if match := re.match(rf"(.+?\.zip){MEMBER}(.*)", path, re.IGNORECASE | re.DOTALL):
        data = _member(path, match[1], match[2])
        yield io.BytesIO(data), data[:HEADER_BYTES]
        return
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116  (a pipe would be waited for)
            raise SampleError("unreadable", f"{path}: a folder, a pipe or a device; a sound file is needed")
        with open(path, "rb") as file:
            header = file.read(HEADER_BYTES)
            file.seek(0)
            # By name, so that libsndfile reads by itself; but it takes any .raw for headerless samples.
            if path.lower().endswith(".raw"):
                yield io.BytesIO(file.read(MAX_MEMBER_BYTES)), header
            else:  # as bytes, but on Windows: soundfile refuses names that are not UTF-8
                yield path if os.name == "nt" else os.fsencode(path), header
    except FileNotFoundError:
        raise SampleError("missing_file", missing(str(path))) from None
    except OSError as error:
        raise SampleError("unreadable", f"{path}: {error.strerror or error}; a sound file is needed") from None


def _member(path: str, archive: str, member: str) -> bytes:
    if not Path(archive).is_file():
        raise SampleError("missing_file", f"{archive}: no such file")
    try:
        status = Path(archive).stat()
        opened, entries = _open_archive(archive, status.st_mtime_ns, status.st_size, os.getpid())
        found = entries[str(PurePosixPath(member))]
        if found.file_size > MAX_MEMBER_BYTES:
            raise SampleError("over_limit", f"{path}: {found.file_size} bytes; at most {MAX_MEMBER_BYTES} are read")
        return opened.read(found)
    except KeyError:
        raise SampleError("missing_file", f"{path}: the archive has no such member") from None
    except BAD_MEMBERS as error:
        raise SampleError("unreadable", f"{path}: damaged or locked archive: {error}") from None


@lru_cache(maxsize=4)
def _open_archive(
    archive: str, mtime_ns: int, num_bytes: int, process: int
) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    # The process is a part of the key: forked ones would share the position in the file.
    opened = zipfile.ZipFile(archive)
    # Some programs write ./a or a//b.
    return opened, {str(PurePosixPath(each.filename)): each for each in opened.infolist()}


def _check_header(path: str | Path, header: bytes) -> None:
    if not header:
        raise SampleError("unreadable", f"{path}: the file is empty (0 bytes)")
    if header.startswith(b"NIST_1A") and re.search(rb"sample_coding[^\n]*(shorten|shortpack|wavpack)", header):
        raise SampleError(
            "unreadable", f"{path}: a compressed sph file (shorten); convert it once, e.g. with sph2pipe -f wav"
        )
    if header[4:8] == b"ftyp":
        raise SampleError("unreadable", f"{path}: an MPEG-4 file (m4a, mp4); {FORMATS} is read, convert it first")


def _check_limits(path: str | Path, sound: Any, header: bytes) -> None:
    """Refuse what would not fit, and files whose header promises more than there is."""
    if getattr(sound, "is_cut", False):
        raise SampleError("over_limit", f"{path}: a stream of unknown length; at most {MAX_FRAMES} values are unpacked")
    if sound.channels > MAX_CHANNELS:
        raise SampleError("over_limit", f"{path}: {sound.channels} channels; at most {MAX_CHANNELS} are read")
    if not MIN_RATE_HZ <= sound.samplerate <= MAX_RATE_HZ:
        allowed = f"{MIN_RATE_HZ} to {MAX_RATE_HZ} Hz are read"
        raise SampleError("over_limit", f"{path}: a rate of {sound.samplerate} Hz; {allowed}")
    size = re.search(r"^ *(?:data|SSND|Data Size) *: (\d+) \(should be (\d+)\)", sound.extra_info, re.MULTILINE)
    if size and int(size[2]) < int(size[1]) < UNKNOWN_LENGTH_BYTES:
        raise _truncated(path, f"{size[2]} of {size[1]} bytes")
    count = re.search(rb"^sample_count -i (\d+)", header, re.MULTILINE) if header.startswith(b"NIST_1A") else None
    if count and sound.frames < int(count[1]):
        raise _truncated(path, f"{sound.frames} of {int(count[1])} frames")


def _truncated(path: str | Path, what: str) -> SampleError:
    return SampleError("unreadable", f"{path}: truncated, it holds {what} that its header announces")


def _frame_range(path: str | Path, sound: Any, start: float | None, end: float | None) -> tuple[int, int]:
    """Frames [first, last) of the seconds [start, end), each rounded to the nearest frame."""
    rate_hz, seconds = sound.samplerate, sound.frames / sound.samplerate
    begin, stop = start or 0.0, seconds if end is None else end
    inside = 0 <= begin < min(stop, seconds) and stop <= seconds + TIME_TOLERANCE_S
    if not inside and (start is not None or end is not None):
        raise SampleError("out_of_range", f"{path}: seconds {begin:g} to {stop:g}; the file has 0 to {seconds:g}")
    first, last = round(begin * rate_hz), min(round(stop * rate_hz), sound.frames)
    if first == last and sound.frames:
        raise SampleError("empty_signal", f"{path}: seconds {begin:.9g} to {stop:.9g} are less than one frame of sound")
    if last - first > MAX_FRAMES:
        raise SampleError(
            "over_limit",
            f"{path}: {stop - begin:.0f} seconds at {rate_hz} Hz; at most {MAX_FRAMES // rate_hz} are read",
        )
    return first, last


def _read_frames(path: str | Path, sound: Any, first: int, last: int) -> np.ndarray:
    """Frames [first, last) as float32 [N], block by block, so that many channels need no more memory than one."""
    early = max(0, first - EARLY_S.get(sound.format, 0) * sound.samplerate)
    limit = BLOCK_VALUES // sound.channels
    sound.seek(early)
    sound.seekable = lambda: False  # soundfile would seek behind each block
    blocks: list[np.ndarray] = []
    apart = together = 0.0
    position = early
    while position < last:
        wanted = min(limit, last - position)
        block = sound.read(wanted, dtype="float32", always_2d=True)
        position += len(block)
        blocks.append(block[:, 0] if sound.channels == 1 else block.mean(axis=1, dtype=np.float32))
        if sound.channels > 1 and len(block):
            apart += len(block) * _power(block[::TELLING])
            together += len(block) * _power(blocks[-1][::TELLING, None])
        if len(block) < wanted:
            raise _truncated(path, f"{position} of {sound.frames} frames")
    if together < CANCELLED * apart:
        raise SampleError(
            "empty_signal", f"{path}: its channels cancel each other out, as of opposite phase; make it of one of them"
        )
    if not blocks:
        return np.zeros(0, np.float32)
    return np.concatenate(blocks)[first - early :] if len(blocks) > 1 else blocks[0][first - early :]


def _power(block: np.ndarray) -> float:
    """Mean power of channels [N, C], without their constant offsets."""
    with np.errstate(invalid="ignore"):  # infinite values are refused later
        return float(np.square(block - block.mean(axis=0, dtype=np.float64)).mean())


def _checked(path: str | Path, waveform: np.ndarray) -> np.ndarray:
    if not len(waveform):
        raise SampleError("empty_signal", f"{path}: no sound in it (0 frames)")
    peak = float(np.abs(waveform).max())
    if not np.isfinite(peak):
        position = int(np.flatnonzero(~np.isfinite(waveform))[0])
        raise SampleError("unreadable", f"{path}: frame {position} is {waveform[position]}; finite numbers are needed")
    return np.ascontiguousarray(waveform if peak <= 1 else waveform / np.float32(peak))
