"""AN4, the census corpus of Carnegie Mellon: ``etc/`` lists and a tree ``wav/`` of wav, sph or flac files.

Train and test are the corpus's own; it has no validation set, prepare takes speakers out of train for that.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from audio import reading
from common.corpus_files import with_untranscribed
from common.errors import GlyphoneError
from common.modality import CorpusReader
from common.samples import Rejection, Sample
from common.tables import read_table, read_text

LICENCE = "CMU BSD-style (free for any purpose, keep the notice)"
SUFFIXES = (".flac", ".wav", ".sph", ".raw")
LINE = re.compile(r"(?P<text>.*?)\s*\((?P<id>[^()\s]+)\)\s*$")
SENTENCE_MARKS = {"<s>", "</s>", "<sil>"}


class AN4Settings(BaseModel):
    """AN4 needs no settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def read(settings: AN4Settings, root: Path, seed: int) -> Iterator[Sample | Rejection]:
    """Samples of both splits, from ``etc/``, or from ``train.tsv`` and ``test.tsv`` where that is missing.

    Recordings that no list names are rejected (no_transcript), and transcripts of none (no_file).

    Raises:
        GlyphoneError: neither is there, or a list does not fit its transcription; names file and line.
    """
    yield from with_untranscribed(_listed(root), root, reading.SUFFIXES | {".raw"}, "no list names it")


def _listed(root: Path) -> Iterator[Sample | Rejection]:
    for split in ("train", "test"):
        fileids = root / "etc" / f"an4_{split}.fileids"
        table = root / f"{split}.tsv"
        if fileids.is_file():
            yield from _from_lists(root, split, fileids)
        elif table.is_file():
            for row in read_table(table, required=("id", "path", "transcript", "speaker")):
                yield _sample(row["id"], row["path"], row["transcript"], row["speaker"], split)
        else:
            raise GlyphoneError(f"{root}: AN4 has etc/an4_{split}.fileids or {split}.tsv; neither is there")


def _from_lists(root: Path, split: str, fileids: Path) -> Iterator[Sample | Rejection]:
    transcription = root / "etc" / f"an4_{split}.transcription"
    texts: dict[str, str] = {}
    for number, line in enumerate(read_text(transcription).split("\n"), 1):
        if not line.strip():
            continue
        match = LINE.match(line)
        if match is None:
            raise GlyphoneError(f"{transcription}, line {number}: TEXT (id) is needed, not {line!r}")
        if match["id"] in texts:
            raise GlyphoneError(f"{transcription}, line {number}: ({match['id']}) stands twice")
        texts[match["id"]] = " ".join(word for word in match["text"].split() if word not in SENTENCE_MARKS)
    known = set()
    for number, line in enumerate(read_text(fileids).split("\n"), 1):
        stem = line.strip()
        if not stem:
            continue
        name = stem.rpartition("/")[2]
        if name not in texts:
            raise GlyphoneError(f"{fileids}, line {number}: {name!r} has no line in {transcription}")
        known.add(name)
        parts = stem.split("/")
        yield _sample(name, _path(root, stem), texts[name], parts[-2] if len(parts) > 1 else name, split)
    for name in texts:
        if name not in known:
            yield Rejection(name, "prepare", "no_file", f"{transcription}: {name!r} has no line in {fileids}", split)


def _path(root: Path, stem: str) -> str:
    """Path of a file under ``wav/`` with the suffix that it has; a missing one keeps the first, prepare rejects it."""
    candidates = [f"wav/{stem}{suffix}" for suffix in SUFFIXES]
    return next((path for path in candidates if (root / path).is_file()), candidates[0])


def _sample(name: str, path: str, text: str, speaker: str, split: str) -> Sample:
    return Sample(id=name, path=path, text=text, group=speaker, split=split, licence=LICENCE)


AN4 = CorpusReader(Settings=AN4Settings, read=read)
