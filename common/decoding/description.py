"""What a decoder is, for readers of its results: the settings that act, by their names, and its language model."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from common.decoding.decoder import Decoder


def description(decoder: "Decoder") -> dict[str, Any]:
    """The entry ``decoder`` of metrics.json: how emissions became the texts that are scored."""
    settings = decoder.settings
    told: dict[str, Any] = {"engine": settings.engine}
    if settings.engine != "greedy":
        told["beam_width"] = settings.beam_width
    if settings.whitelist is not None:
        told["whitelist"] = settings.whitelist
    if settings.engine == "beam_lm":
        ngrams = decoder.language.ngrams
        told["language_model"] = ngrams and {"unit": decoder.language.unit, "order": ngrams.order}
        told |= {key: getattr(settings, key) for key in ("alpha", "beta", "beam_margin", "lexicon", "hotwords")}
        if settings.lexicon != "closed":
            told["unknown_score"] = settings.unknown_score
    if settings.rescoring is not None:
        told["rescoring"] = settings.rescoring.model_dump()
    return told
