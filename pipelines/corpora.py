"""Samples of all corpora of a modality, under names that are unique among them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from common.errors import GlyphoneError
from common.modality import Modality
from common.paths import without_root
from common.samples import Rejection, Sample
from pipelines.roots import resolve_root
from pipelines.settings import Corpus


def resolve_roots(corpora: tuple[Corpus, ...]) -> dict[str, Path]:
    """Name of each corpus → its folder; the current one for a corpus without (synthetic)."""
    return {each.name: resolve_root(each.root, f"{each.key}.root") if each.root else Path() for each in corpora}


def read_corpora(
    modality: Modality, corpora: tuple[Corpus, ...], roots: Mapping[str, Path], seed: int
) -> Iterator[Sample | Rejection]:
    """All samples and rejections, as their readers give them. Of several corpora, ids carry the corpus's name in front.

    Groups stay as they are: reports show figures by the part of their names before the first slash.
    """
    for corpus in corpora:
        prefix = f"{corpus.name}/" if len(corpora) > 1 else ""
        for sample in modality.corpora[corpus.reader].read(corpus.own, roots[corpus.name], seed):
            check_unicode(corpus.name, sample)
            if isinstance(sample, Rejection):
                sentence = without_root(sample.sentence, roots[corpus.name], corpus.name)
                yield replace(sample, id=prefix + sample.id, sentence=sentence)
            else:
                yield replace(sample, id=prefix + sample.id, corpus=corpus.name)


def check_unicode(corpus: str, sample: Sample | Rejection) -> None:
    """Refuse names and texts that UTF-8 cannot write: file names of another encoding, halves of an emoji."""
    for key in ("id", "path", "text", "group", "licence"):
        value = getattr(sample, key, "")
        if any("\ud800" <= character <= "\udfff" for character in value):
            advice = "rename the file, or save the table, as UTF-8"
            raise GlyphoneError(f"corpus {corpus}: {key} {value!a} is no Unicode text; {advice}")
