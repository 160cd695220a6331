"""A Kaldi data folder: ``text`` and ``wav.scp``, perhaps ``utt2spk`` and ``segments``."""

import math
from collections.abc import Collection, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from common.errors import GlyphoneError
from common.manifest import relative_path
from common.modality import CorpusReader
from common.samples import Rejection, Sample
from common.tables import read_text


class KaldiSettings(BaseModel):
    """Data folders under the root, one a split; an empty name for none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Where only train is given, prepare splits it by speaker.
    train: str = "train"
    validation: str = ""
    test: str = ""


def read(settings: KaldiSettings, root: Path, seed: int) -> Iterator[Sample | Rejection]:
    """Samples in the order of ``text``; the group is the speaker, or the recording where there is no ``utt2spk``.

    Utterances without a text, and recordings without a segment, are rejected (no_transcript).

    Paths in ``wav.scp`` are relative to the root; absolute ones must lead into it.

    Raises:
        GlyphoneError: a missing file or entry, a command instead of a file (``sph2pipe … |``), a wrong number.
    """
    folders = {split: name for split in ("train", "validation", "test") if (name := getattr(settings, split))}
    alone = list(folders) == ["train"]
    for split, name in folders.items():
        yield from _data_folder(root, root / name, "" if alone else split)


def _data_folder(root: Path, folder: Path, split: str) -> Iterator[Sample | Rejection]:
    recordings = _pairs(folder / "wav.scp")
    speakers = _pairs(folder / "utt2spk") if (folder / "utt2spk").is_file() else None
    segments = _pairs(folder / "segments") if (folder / "segments").is_file() else None
    texts = _pairs(folder / "text")
    for utterance, (text, where) in texts.items():
        recording, start, end = _segment(utterance, where, segments)
        if recording not in recordings:
            raise GlyphoneError(f"{where}: {recording!r} has no line in {folder / 'wav.scp'}")
        if speakers is not None and utterance not in speakers:
            raise GlyphoneError(f"{where}: {utterance!r} has no line in utt2spk")
        file, file_where = recordings[recording]
        yield Sample(
            id=utterance,
            path=_path(root, file, file_where),
            text=text,
            group=recording if speakers is None else speakers[utterance][0],
            split=split,
            start=start,
            end=end,
        )
    yield from _without(texts, "text", recordings if segments is None else segments, split)
    if segments is not None:
        cut = {recording for value, _ in segments.values() for recording in value.split()[:1]}
        yield from _without(cut, "segments", recordings, split)


def _without(known: Collection[str], file: str, entries: dict[str, tuple[str, str]], split: str) -> Iterator[Rejection]:
    """A rejection for each of the entries that a file of the data folder has no line of."""
    for key, (_, where) in entries.items():
        if key not in known:
            yield Rejection(key, "prepare", "no_transcript", f"{where}: {key!r} has no line in {file}", split)


def _pairs(path: Path) -> dict[str, tuple[str, str]]:
    """Lines ``KEY VALUE`` of a file: key → (value, "FILE, line N")."""
    pairs: dict[str, tuple[str, str]] = {}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        key, *rest = line.split(maxsplit=1)
        if key in pairs:
            raise GlyphoneError(f"{where}: {key!r} stands twice; also in {pairs[key][1]}")
        pairs[key] = (rest[0].strip() if rest else "", where)
    return pairs


def _segment(
    utterance: str, where: str, segments: dict[str, tuple[str, str]] | None
) -> tuple[str, float | None, float | None]:
    """Recording, start and end in seconds of an utterance; without ``segments`` an utterance is a recording."""
    if segments is None:
        return utterance, None, None
    if utterance not in segments:
        raise GlyphoneError(f"{where}: {utterance!r} has no line in segments")
    value, segment_where = segments[utterance]
    try:
        recording, start, end, *channel = value.split()
        # Kaldi writes -1 for "to the end".
        times = float(start), float(end) if float(end) >= 0 else None
        if not (math.isfinite(float(start)) and math.isfinite(float(end))):
            raise ValueError
    except ValueError:
        raise GlyphoneError(f"{segment_where}: RECORDING START END is needed, not {value!r}") from None
    if channel and channel != ["0"]:  # also of a recording of one
        raise GlyphoneError(
            f"{segment_where}: channel {' '.join(channel)!r}; only 0 is read, since the channels of a file are "
            "averaged: make a file of each"
        )
    return recording, *times


def _path(root: Path, file: str, where: str) -> str:
    if file.endswith("|"):
        raise GlyphoneError(f"{where}: a command, {file!r}; only files are read: run it once and list its output")
    if not file:
        raise GlyphoneError(f"{where}: no file")
    return relative_path(file, root)


KALDI = CorpusReader(Settings=KaldiSettings, read=read)
