"""A folder of one's own: ``a.wav`` with its transcript ``a.txt`` beside it."""

from collections.abc import Iterator
from pathlib import Path

from audio.reading import SUFFIXES
from common.manifest import FolderSettings, read_folder
from common.modality import CorpusReader
from common.samples import Rejection, Sample


def read(settings: FolderSettings, root: Path, seed: int) -> Iterator[Sample | Rejection]:
    """Samples of all sound files, in the order of their paths; see ``common.manifest.read_folder``."""
    return read_folder(settings, root, SUFFIXES)


FOLDER = CorpusReader(Settings=FolderSettings, read=read)
