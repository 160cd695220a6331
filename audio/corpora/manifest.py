"""A table of one's own: CSV, TSV or JSON lines (NeMo's ``audio_filepath`` … too) of files and transcripts."""

from common.manifest import ManifestSettings, read_manifest
from common.modality import CorpusReader

MANIFEST = CorpusReader(Settings=ManifestSettings, read=read_manifest)
