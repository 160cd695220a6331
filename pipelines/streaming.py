"""The samples that a training makes for itself, as the settings of its stream say."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import torch

from common.alphabet import needed_slices
from common.errors import GlyphoneError
from common.language.kneser_ney import TokenError
from common.language.sampling import sampler
from common.language.text import tokens_of
from common.modality import Modality, generator
from common.network import Network
from common.samples import Sample
from common.text import TextSettings, normalise
from common.training.processes import is_first
from common.training.samples import Samples
from common.training.stream import Joined, Stream
from common.training.stream_settings import StreamSettings
from common.wording import out_of
from pipelines.modalities import MODULES, modality
from pipelines.settings import stream_reader, with_direction
from pipelines.stream_making import make

# What bundles and figures call the samples of a stream.
CORPUS = "stream"
# A recipe without a text is drawn anew so often.
MAX_TRIES = 8
# Characters that a message names.
MAX_NAMED = 20


def open_stream(
    name: str, chosen: SimpleNamespace, section: str, texts: Sequence[str], num_features: int
) -> Stream | None:
    """The stream of a section of the settings, ``training`` or ``pretraining``; None where it is off.

    Args:
        chosen: with ``seed``, ``text``, ``slices``, ``network`` and the section.
        texts: of the stored training samples, for n-grams.
        num_features: F.
    """
    training = getattr(chosen, section)
    if not training.stream.samples:
        return None
    front = chosen.slices
    return Stream(
        training.stream.samples,
        training.epochs,
        recipe_of(modality(name), training.stream, chosen.text, section, chosen.seed, texts),
        partial(make, module=MODULES[name], front=front),
        least_slices(Network(chosen.network, num_features, 2)),  # the number of labels does not matter
        training.stream.num_workers,
    )


def joined(stored: Samples, stream: Stream | None) -> Samples:
    """Stored samples with those of a stream behind them."""
    if stream is None:
        return stored
    stream.first = len(stored.ids)
    return Samples(
        ids=[*stored.ids, *stream.ids],
        corpora=[*stored.corpora, *[CORPUS] * len(stream)],
        texts=[*stored.texts, *stream.texts],
        lengths=np.concatenate([stored.lengths, stream.lengths]),
        matrices=Joined(stored.matrices, stream),
        groups=[*(stored.groups or stored.corpora), *[CORPUS] * len(stream)],
        stream=stream,
    )


def recipe_of(
    kind: Modality, stream: StreamSettings, text: TextSettings, purpose: str, seed: int, texts: Sequence[str]
) -> Callable[[str], Sample]:
    """Id → sample with a normalised text, by the id alone."""
    reader = stream_reader(kind)
    assert reader is not None and reader.recipe is not None  # the settings' check has seen to it
    own = with_direction(reader, stream.generator, text)
    settings = reader.Settings.model_validate_json(json.dumps(own), strict=True)
    make_recipe = reader.recipe
    draw = None
    if stream.ngrams:
        if not texts:
            raise GlyphoneError(
                f"{kind.name}.{purpose}.stream.ngrams: {stream.ngrams:g}: there is no training text that was read and "
                "not made; allowed: 0"
            )
        most = max(map(len, texts), default=1)
        key = f"{kind.name}.{purpose}.stream.ngrams"
        try:
            draw = sampler(texts, stream.ngram_unit, stream.ngram_order, most=most)
        except TokenError as error:
            holds = next(text for text in texts if error.token in tokens_of(text, stream.ngram_unit))
            raise GlyphoneError(f"{key}: training text {holds!r}: {error}; leave it out") from None
        check_characters(
            key,
            texts,
            lambda character: make_recipe(settings, seed, f"{purpose}/character", character).text,
        )

    def recipe(sample_id: str) -> Sample:
        for attempt in range(MAX_TRIES):
            name = f"{purpose}/{sample_id}" + f"/{attempt}" * bool(attempt)
            random = generator(seed, "stream text", name)
            given = draw(random) if draw is not None and random.random() < stream.ngrams else None
            sample = make_recipe(settings, seed, name, given)
            if normalised := normalise(sample.text, text):
                return replace(sample, text=normalised, corpus=CORPUS)
        last = sample.text if given is None else given
        raise GlyphoneError(f"stream: nothing is left of {MAX_TRIES} texts of sample {sample_id}; last {last!r}")

    return recipe


def check_characters(key: str, texts: Sequence[str], shown: Callable[[str], str]) -> None:
    """Say which characters of the training texts the generator cannot show or say: what is made goes without them.

    Args:
        key: of the setting, for messages.
        shown: text → what the generator shows or says of it.

    Raises:
        GlyphoneError: they are most of the texts, so what is made would teach nothing of them.
    """
    counts = Counter(character for text in texts for character in text if not character.isspace())
    characters = [character for character, _ in counts.most_common()]
    known = next(filter(shown, characters), "")
    # A comma is said beside a letter, and alone it is no text.
    missing = [each for each in characters if not shown(each) and each not in shown(known + each)]
    if not missing:
        return
    some = " ".join(missing[:MAX_NAMED]) + " …" * (len(missing) > MAX_NAMED)
    share = f"{out_of(len(missing), len(counts), 'character')} of the training texts"
    sentence = f"{key}: the generator cannot show or say {share}: {some}"
    if 2 * sum(counts[character] for character in missing) > counts.total():
        raise GlyphoneError(
            f"{sentence}: what is made would teach nothing of them; set stream.samples: 0, and perhaps "
            "training.warm_start, which helps other scripts too"
        )
    if is_first():
        print(f"{sentence}: they are left out of what is made", file=sys.stderr, flush=True)


def least_slices(network: Network) -> Callable[[str], int]:
    """Text → slices that the network needs to spell it."""
    emitted = network.out_lengths(torch.arange(0, 64 * network.stride)).numpy()

    def least(text: str) -> int:
        needed = needed_slices(text)
        beyond = max(0, needed - int(emitted[-1]))  # from there on each takes a stride more
        return int(np.searchsorted(emitted, needed - beyond)) + beyond * network.stride

    return least
