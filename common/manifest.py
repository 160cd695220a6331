"""Two kinds of corpus that every modality reads alike: a manifest (a table of files and transcripts), and a folder."""

import math
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from common.corpus_files import Ending, and_links, files_below, linked_folders, transcript_in
from common.errors import GlyphoneError, SampleError
from common.grouping import checked_pattern, file_groups, group_of, split_name, split_of_folder
from common.samples import Rejection, Sample
from common.shapes import LARGEST
from common.tables import Row, read_table
from common.wording import plural

ALIASES = {
    "key": "id", "utt": "id", "utt_id": "id", "name": "id",
    "file": "path", "filename": "path", "file_name": "path", "audio": "path", "audio_path": "path", "wav": "path",
    "audio_filepath": "path", "image": "path", "image_path": "path", "img": "path",
    "transcript": "text", "transcription": "text", "sentence": "text", "label": "text", "words": "text", "gt": "text",
    "speaker": "group", "speaker_id": "group", "client_id": "group", "writer": "group", "volume": "group",
    "book": "group", "source": "group", "source_image": "group", "receipt": "group",
    "set": "split", "subset": "split", "partition": "split",
    "begin": "start", "offset": "start", "start_time": "start", "stop": "end", "end_time": "end", "license": "licence",
    "x1": "left", "y1": "top", "x2": "right", "y2": "bottom", "bbox": "box",
    "xmin": "left", "ymin": "top", "xmax": "right", "ymax": "bottom", "x": "left", "y": "top", "w": "width",
    "h": "height",
}  # fmt: skip
EDGES = ("left", "top", "right", "bottom")
COLUMNS = frozenset({*ALIASES.values(), *EDGES, "path", "text", "duration"})


class ManifestSettings(BaseModel):
    """A table with the columns path, text and perhaps id, group, split, start, end, box (or aliases of these)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # The table, relative to the root; its paths are relative to the table's own folder. One that is not there, but in
    # the folder that the command runs in, is taken too (a table of this repository); its paths start at the root.
    manifest: str = "manifest.tsv"
    # Other names of columns, beyond the usual ones: {"their name": "our name"}.
    columns: dict[str, str] = {}
    # Split of all rows where the table has no such column; empty: prepare splits by group.
    split: str = ""
    # Licence of all rows where the table has no such column; it stands in the model card.
    licence: str = ""
    # Regular expression over the relative path; its first bracket is the group, whatever a column says.
    group_pattern: str = ""
    # Split → regular expression over the relative path: the split of rows that match, first one first, where neither
    # the table nor ``split`` has one; prepare splits the others by group.
    split_patterns: dict[str, str] = {}

    @field_validator("columns")
    @classmethod
    def _our_names(cls, value: dict[str, str]) -> dict[str, str]:
        if unknown := sorted(set(value.values()) - COLUMNS):
            raise ValueError(f"{unknown[0]!r} is no column of ours; there are {', '.join(sorted(COLUMNS))}")
        return value

    @field_validator("split")
    @classmethod
    def _known_split(cls, value: str) -> str:
        return split_name(value)

    @field_validator("group_pattern")
    @classmethod
    def _group_pattern(cls, value: str) -> str:
        return checked_pattern(value)

    @field_validator("split_patterns")
    @classmethod
    def _split_patterns(cls, value: dict[str, str]) -> dict[str, str]:
        for pattern in value.values():
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"not a regular expression: {pattern!r}: {error}") from None
        return {split_name(split): pattern for split, pattern in value.items()}


class FolderSettings(BaseModel):
    """A tree of files, each with its transcript beside it: ``a.png`` and ``a.txt`` (or ``a.png.txt``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Ending of the transcripts.
    text_suffix: Ending = ".txt"
    # Regular expression over the relative path; its first bracket is the group. Empty: the parent folder is,
    # or each file by itself where all lie in one folder.
    group_pattern: str = ""
    # Top folders named train, validation (dev, …) or test decide the split; otherwise prepare splits by group.
    splits_from_folders: bool = True

    @field_validator("group_pattern")
    @classmethod
    def _pattern(cls, value: str) -> str:
        return checked_pattern(value)


def relative_path(path: str, root: Path) -> str:
    """An absolute path into the root, as lists of other tools hold them, relative to it; any other as it is."""
    file = Path(path)
    if file.is_absolute():
        # As it is written, else where both really lie: a root is often relative (../shared/data), or reached by a link.
        try:
            real = Path(os.path.realpath(file.parent), file.name)
        except ValueError:  # no file can be called so: half an emoji, a zero byte
            return path
        for base, place in ((root.absolute(), file), (Path(os.path.realpath(root)), real)):
            if place.is_relative_to(base):
                return place.relative_to(base).as_posix()
    return path


def read_manifest(settings: ManifestSettings, root: Path, seed: int) -> Iterator[Sample]:
    """Samples of a manifest. The id is its column, else path (with start or box, so that cuts differ).

    Where two rows without one have the same start, as of speakers at once, the later one's end is in its id too.

    Without a column group, the folder of a file is its group; where all lie in one folder, each file is its own.

    Paths and texts are taken as they stand: prepare rejects files that are missing or lead out of the root.

    Raises:
        GlyphoneError: a missing column, an unknown split or a wrong number or box; names the file and the line.
    """
    samples = list(_manifest_samples(settings, root))
    if not any(has_group for _, has_group in samples):
        yield from file_groups([sample for sample, _ in samples])
    else:
        yield from (sample for sample, _ in samples)


def outside_table(manifest: str, root: Path) -> Path | None:
    """The table where it is not below the root, but in the current folder; else None."""
    table = Path(manifest)
    return table if manifest and not (root / table).is_file() and table.is_file() else None


def _manifest_samples(settings: ManifestSettings, root: Path) -> Iterator[tuple[Sample, bool]]:
    """Samples, each with whether its row names a group."""
    outside = outside_table(settings.manifest, root)
    table = outside or root / settings.manifest
    folder = Path() if outside else Path(settings.manifest).parent
    renamed = {theirs.strip().lower(): ours for theirs, ours in settings.columns.items()}
    ends: dict[str, float | None] = {}
    for row in read_table(table, required=("path", "text"), aliases=ALIASES, renamed=renamed):
        file = _text(row, "path")
        path = relative_path((folder / file).as_posix(), root)
        start, end, box = _number(row, "start"), _number(row, "end"), _box(row)
        if end is None and start is not None and (duration := _number(row, "duration")) is not None:
            end = start + duration
        cut = "" if start is None else f"#{start:.12g}"
        cut += "" if box is None else "#" + ",".join(map(str, box))
        if end != ends.setdefault(path + cut, end):
            cut += "-" if end is None else f"-{end:.12g}"
        try:
            split = (
                split_name(_text(row, "split")) or settings.split or _split_by_pattern(path, settings.split_patterns)
            )
        except ValueError as error:
            raise GlyphoneError(f"{row.where}: {error}") from None
        group = group_of(path, settings.group_pattern) if settings.group_pattern else _text(row, "group")
        sample = Sample(
            id=_text(row, "id") or path + cut,
            path=path,
            text=_text(row, "text"),
            group=group or group_of(path, ""),
            split=split,
            start=start,
            end=end,
            box=box,
            licence=_text(row, "licence") or settings.licence,
        )
        yield sample, bool(group)


def read_folder(settings: FolderSettings, root: Path, suffixes: frozenset[str]) -> Iterator[Sample | Rejection]:
    """Samples of a tree: each file with one of the suffixes and a transcript beside it, in the order of their paths.

    A file with a transcript and another suffix (``a.m4a``, ``a.heic``) is rejected: it would be missed by nobody. So is
    a transcript without a file (no_file), a file whose transcript is no text (bad_transcript), and a link to a folder
    (linked_folder).

    Raises:
        GlyphoneError: no such folder, no such file in it, or none has a transcript: then surely the settings are
            wrong. A single file without one becomes a sample with an empty text, which prepare rejects by name.
    """
    if not root.is_dir():
        raise GlyphoneError(f"{root}: no such folder")
    all_files = files_below(root)
    files = [file for file in all_files if Path(file).suffix.lower() in suffixes]
    if not files:
        raise GlyphoneError(f"{root}: no files in it that end in {', '.join(sorted(suffixes))}{and_links(root)}")
    listed = [_folder_sample(settings, root, file) for file in files]
    samples = [each for each in listed if isinstance(each, Sample)]
    refused = [each for each in listed if isinstance(each, Rejection)]
    if not settings.group_pattern:
        samples = file_groups(samples)
    if not any(sample.text for sample in samples):
        why = f"; {len(refused)} cannot be read, as {refused[0].sentence}" if refused else ""
        wanted = f"a transcript *{settings.text_suffix} beside it"
        raise GlyphoneError(f"{root}: none of {plural(len(files), 'file')} has {wanted}{why}")
    yield from samples
    yield from refused
    yield from _unread(settings, root, files, all_files, suffixes)
    yield from linked_folders(root)


def _unread(
    settings: FolderSettings, root: Path, files: Sequence[str], all_files: Sequence[str], suffixes: frozenset[str]
) -> Iterator[Rejection]:
    """Rejections of files that have a transcript and are not read, and of transcripts without a file."""
    # Notes on a file that is read (a.json beside a.wav) are passed over.
    known = {Path(file).with_suffix("") for file in files}
    others = [each for each in all_files if not each.endswith(settings.text_suffix)]
    of_something = {Path(each).with_suffix("").as_posix() for each in others} | set(others)
    for file in all_files:
        if file.endswith(settings.text_suffix):
            if file.removesuffix(settings.text_suffix) not in of_something:
                yield Rejection(file, "prepare", "no_file", f"{file}: no file beside it that it is the transcript of")
        elif Path(file).with_suffix("") not in known and _transcript_file(root / file, settings.text_suffix):
            sentence = f"{file}: it has a transcript, but no ending that is read: {', '.join(sorted(suffixes))}"
            split = split_of_folder(file) if settings.splits_from_folders else ""
            yield Rejection(file, "prepare", "unreadable", sentence, split)


def _transcript_file(file: Path, text_suffix: str) -> Path | None:
    """``a.txt`` or ``a.png.txt`` beside ``a.png``; None where there is neither."""
    for candidate in (file.with_name(file.stem + text_suffix), file.with_name(file.name + text_suffix)):
        if candidate.is_file() and candidate != file:
            return candidate
    return None


def _folder_sample(settings: FolderSettings, root: Path, path: str) -> Sample | Rejection:
    split = split_of_folder(path) if settings.splits_from_folders else ""
    group = group_of(path, settings.group_pattern)
    try:
        file = _transcript_file(root / path, settings.text_suffix)
        text = transcript_in(file) if file else ""
    except SampleError as error:
        return Rejection(path, "prepare", error.code, str(error), split)
    return Sample(id=path, path=path, text=text, group=group, split=split)


def _split_by_pattern(path: str, patterns: dict[str, str]) -> str:
    return next((split for split, pattern in patterns.items() if re.search(pattern, path)), "")


def _text(row: Row, column: str) -> str:
    value = row.get(column)
    if value is None:
        return ""
    is_none = isinstance(value, float) and not math.isfinite(value)  # NaN: an empty cell of some programs
    if not isinstance(value, str | int | float) or isinstance(value, bool) or is_none:
        raise GlyphoneError(f"{row.where}: {column} must be text, not {value!r}")
    return str(value)


def _number(row: Row, column: str) -> float | None:
    value: Any = row.get(column)
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not 0 <= number <= LARGEST:
        raise GlyphoneError(f"{row.where}: {column} must be seconds from 0 on, not {value!r}")
    return number


def _box(row: Row) -> tuple[int, int, int, int] | None:
    """From the column box (four numbers), or from left, top, right, bottom, or from left, top, width, height."""
    value: Any = row.get("box")
    if value in (None, "") and any(row.get(edge) not in (None, "") for edge in EDGES):
        value = [row.get(edge) for edge in EDGES]
        if "right" not in row:
            width, height = _integer(row, row.get("width")), _integer(row, row.get("height"))
            value[2:] = [_integer(row, value[0]) + width, _integer(row, value[1]) + height]
    if value in (None, ""):
        return None
    if isinstance(value, str):
        value = re.split(r"[\s,;]+", value.strip("[]() "))
    if not isinstance(value, list) or len(value) != 4:
        raise GlyphoneError(f"{row.where}: box must be left, top, right, bottom in pixels, not {row.get('box')!r}")
    left, top, right, bottom = (_integer(row, edge) for edge in value)
    return left, top, right, bottom


def _integer(row: Row, value: Any) -> int:
    try:
        return round(float(value))
    except (TypeError, ValueError, OverflowError):
        raise GlyphoneError(f"{row.where}: an edge of a box must be a number of pixels, not {value!r}") from None
