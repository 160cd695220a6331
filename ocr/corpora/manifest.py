"""A table of images and transcripts: CSV, TSV or JSON lines (``common.manifest``)."""

from common.manifest import ManifestSettings, read_manifest
from common.modality import CorpusReader

READER = CorpusReader(Settings=ManifestSettings, read=read_manifest)
