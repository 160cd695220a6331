"""Readers of speech corpora by the name that ``params.yaml`` uses. A new one: a file here, a line below."""

from audio.corpora.an4 import AN4
from audio.corpora.common_voice import COMMON_VOICE
from audio.corpora.folder import FOLDER
from audio.corpora.fsdd import FSDD
from audio.corpora.kaldi import KALDI
from audio.corpora.librispeech import LIBRISPEECH
from audio.corpora.manifest import MANIFEST
from audio.corpora.synthetic import SYNTHETIC
from common.modality import CorpusReader

CORPORA: dict[str, CorpusReader] = {
    "an4": AN4,
    "common_voice": COMMON_VOICE,
    "folder": FOLDER,
    "fsdd": FSDD,
    "kaldi": KALDI,
    "librispeech": LIBRISPEECH,
    "manifest": MANIFEST,
    "synthetic": SYNTHETIC,
}
