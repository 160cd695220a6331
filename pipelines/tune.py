"""Tune stage: slices of the validation split, model and language model -> the decoder's settings, for the model folder.

One pass of the network; then each alpha with each beta at the first beam width, and the best of them at the others. Of
equal errors the smaller width, alpha and beta win. With ``decoding.rescoring`` each weight with each length bonus
follows, over the texts that the search finds then. It never sees test data. Where nothing is to be chosen (engines
``greedy`` and ``beam`` without rescoring) the settings are written down as they are.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import GlyphoneError, run
from common.files import atomic

if TYPE_CHECKING:
    import numpy as np

    from common.alphabet import Alphabet
    from common.bundle import Bundle
    from common.decoding import DecodingSettings
    from common.decoding.fusion import FusedSearch
    from common.language.folder import Language
    from common.scoring import Counts
    from common.store import Store
    from pipelines.stage_settings import TuneSettings


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pipelines.tune", description=__doc__)
    parser.add_argument("modality", help="audio or ocr, a section of params.yaml")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1; auto takes CUDA where there is one")
    arguments = parser.parse_args()
    tune(arguments.modality, arguments.device)


def tune(name: str, device: str = "auto") -> None:
    """Choose on ``data/<name>/slices/validation.arrow``; write ``models/<name>/language``."""
    from common.decoding.decoder import Decoder, check_whitelist, fused, scorer_of
    from common.decoding.places import CHOSEN, LANGUAGE_FOLDER
    from common.files import write_json
    from common.language.folder import CHARACTER_FILES, FILES, NO_LANGUAGE, read_language
    from pipelines import settings
    from pipelines.tuning_calibration import calibration_of

    source, target = Path("data") / name / "language", Path("models") / name / LANGUAGE_FOLDER
    # Before a setting can be wrong: DVC has removed the folder, and without it a model is read greedily.
    if target.parent.is_dir():
        target.mkdir(exist_ok=True)
    chosen = settings.read(name, "decoding", "tune")
    target.mkdir(parents=True, exist_ok=True)
    best: DecodingSettings = chosen.decoding
    fuses = best.engine == "beam_lm"
    written: dict[str, Any] = {}
    if fuses or best.rescoring is not None:
        from common.bundle import read_bundle

        # Mistakes in models and settings end here, before the network runs.
        language = read_language(source) if fuses else NO_LANGUAGE
        scorer = scorer_of(source, best)
        bundle = read_bundle(Path("models") / name)
        alphabet = bundle.alphabet
        check_whitelist(alphabet, best)
        if fuses:
            fused(alphabet, best, language)
        emissions, store = _validation(name, bundle, device)
        texts = list(store.texts)
        written["samples"] = len(texts)
        if fuses:
            best, tried = choose(alphabet, best, chosen.tune, language, emissions, texts, f"{name}: tune")
            written["tried"] = tried
            weights = f"alpha {best.alpha}, beta {best.beta}, beam width {best.beam_width}"
            print(f"{name}: {weights}: {_rates(tried)}", file=sys.stderr)
        if scorer is not None:
            from pipelines.tune_rescoring import choose_rescoring

            search = fused(alphabet, best, language) if fuses else None
            best, tried = choose_rescoring(
                alphabet, best, chosen.tune, search, scorer, emissions, texts, f"{name}: rescoring"
            )
            written["rescoring_tried"] = tried
            print(f"{name}: rescoring {best.rescoring or 'does not help'}: {_rates(tried)}", file=sys.stderr)
        if fuses or best.rescoring is not None:
            decoder = Decoder(alphabet, best, language, scorer if best.rescoring is not None else None)
            written["calibration"] = calibration_of(decoder, emissions, store)
    # The n-grams where they are used, the character model for pipelines.generate too; nothing of earlier settings.
    _copy(source, target, [*(FILES if fuses else ()), *CHARACTER_FILES], [CHOSEN, *FILES, *CHARACTER_FILES])
    written["settings"] = best.model_dump(mode="json")
    write_json(target / CHOSEN, written)


def _rates(tried: list[dict[str, Any]]) -> str:
    return f"validation WER {tried[0]['word_error_rate']}, CER {tried[0]['character_error_rate']}"


def _copy(source: Path, target: Path, wanted: Sequence[str], known: Sequence[str]) -> None:
    """Copy the wanted files that are there; of the other known ones none stays.

    Descriptions, the first of each kind, come last: what a kill or a full disk leaves is no model of two settings.
    """
    for name in known:
        (target / name).unlink(missing_ok=True)
    for name in reversed(wanted):
        if (source / name).is_file():
            with open(source / name, "rb") as file, atomic(target / name) as copy:
                shutil.copyfileobj(file, copy)


def _validation(name: str, bundle: "Bundle", device: str) -> tuple[list["np.ndarray"], "Store"]:
    """Emissions and samples of the validation split."""
    from common.device import choose_device
    from common.emissions import emissions
    from common.progress import with_progress
    from common.store import Store

    store = Store(Path("data") / name / "slices" / "validation.arrow")
    network = bundle.network.to(choose_device(device, "--device"))
    matrices = (store.slices(i) for i in range(len(store)))
    if not len(store):
        raise GlyphoneError(f"{store.path}: there are no validation samples to choose the decoder's settings on")
    found = list(with_progress(emissions(network, matrices), len(store), f"{name}: emissions"))
    return found, store


def choose(
    alphabet: "Alphabet",
    decoding: "DecodingSettings",
    tried: "TuneSettings",
    language: "Language",
    emissions: Sequence["np.ndarray"],
    texts: Sequence[str],
    progress: str,
) -> tuple["DecodingSettings", list[dict[str, Any]]]:
    """The settings with the fewest errors, and all that were tried, the best first.

    Args:
        emissions: float32 [T, V] of each text.
        texts: references.
    """
    from common.decoding.cutoffs import masked
    from common.decoding.decoder import fused, weights_of
    from common.progress import with_progress
    from pipelines.tune_rescoring import errors_row

    if decoding.whitelist is not None:
        emissions = [masked(each, alphabet, decoding.whitelist) for each in emissions]
    search = fused(alphabet, decoding, language)
    first, *widths = tried.beam_widths
    alphas = tried.alphas if language.ngrams is not None else (decoding.alpha,)
    betas = tried.betas if language.ngrams is not None else (decoding.beta,)
    rows: list[dict[str, Any]] = []

    def points() -> Iterator[tuple[float, float, int]]:
        yield from ((alpha, beta, first) for alpha in alphas for beta in betas)
        best = min(rows, key=order)
        yield from ((best["alpha"], best["beta"], width) for width in widths)

    def order(row: dict[str, Any]) -> tuple[float, ...]:
        errors = (row["word_errors"], row["character_errors"])
        size = (row["beam_width"], row["alpha"], abs(row["beta"]), row["beta"])
        return (*(errors if tried.errors == "words" else errors[::-1]), *size)

    total = len(alphas) * len(betas) + len(widths)
    for alpha, beta, width in with_progress(points(), total, progress, "setting"):
        weights = weights_of(decoding.model_copy(update={"alpha": alpha, "beta": beta}))
        words, characters = errors_of(search.with_weights(weights), alphabet, emissions, texts, width)
        rows.append({"alpha": alpha, "beta": beta, "beam_width": width, **errors_row(words, characters)})
    rows.sort(key=order)
    return decoding.model_copy(update={key: rows[0][key] for key in ("alpha", "beta", "beam_width")}), rows


def errors_of(
    search: "FusedSearch", alphabet: "Alphabet", emissions: Sequence["np.ndarray"], texts: Sequence[str], width: int
) -> tuple["Counts", "Counts"]:
    """Errors in words and in characters, summed over all texts."""
    from common.scoring import Counts, count_characters, count_words
    from common.text import TextSettings, normalise

    def text_of(log_probs: "np.ndarray") -> str:
        return normalise(alphabet.decode(search.search(log_probs, width)[0].labels), TextSettings())

    # The search holds no lock while it runs.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        hypotheses = list(pool.map(text_of, emissions))
    words = characters = Counts(0, 0, 0, 0)
    for text, hypothesis in zip(texts, hypotheses, strict=True):
        words += count_words(text, hypothesis)
        characters += count_characters(text, hypothesis)
    return words, characters


if __name__ == "__main__":
    run(main)
