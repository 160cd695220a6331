"""A tree of images, each with its transcript ``name.txt`` beside it (``common.manifest``)."""

from collections.abc import Iterator
from pathlib import Path

from common.manifest import FolderSettings, read_folder
from common.modality import CorpusReader
from common.samples import Rejection, Sample
from ocr.reading import SUFFIXES


def read(settings: FolderSettings, root: Path, seed: int) -> Iterator[Sample | Rejection]:
    """List the samples. Raises GlyphoneError, see ``common.manifest.read_folder``."""
    return read_folder(settings, root, SUFFIXES)


READER = CorpusReader(Settings=FolderSettings, read=read)
