"""Tune stage: slices of the validation split, model and language model → the decoder's settings, for the model folder.

One pass of the network; then each alpha with each beta at the first beam width, and the best of them at the others. Of
equal errors the smaller width, alpha and beta win. It never sees test data. With engines ``greedy`` and ``beam`` there
is nothing to choose: the settings are written down as they are.
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

if TYPE_CHECKING:
    import numpy as np

    from common.alphabet import Alphabet
    from common.decoding import DecodingSettings
    from common.decoding.fusion import FusedSearch
    from common.language.folder import Language
    from common.scoring import Counts
    from common.store import Store
    from pipelines.stage_settings import TuneSettings


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pipelines.tune", description=__doc__)
    parser.add_argument("modality", help="audio or ocr, a section of params.yaml")
    parser.add_argument("--device", default="auto", help="cpu, cuda, …; auto takes CUDA where there is one")
    arguments = parser.parse_args()
    tune(arguments.modality, arguments.device)


def tune(name: str, device: str = "auto") -> None:
    """Choose on ``data/<name>/slices/validation.arrow``; write ``models/<name>/language``."""
    from common.decoding.places import CHOSEN, LANGUAGE_FOLDER
    from common.files import write_json
    from pipelines import settings

    chosen = settings.read(name, "decoding", "tune")
    source, target = Path("data") / name / "language", Path("models") / name / LANGUAGE_FOLDER
    target.mkdir(parents=True, exist_ok=True)
    written: dict[str, Any] = {"settings": chosen.decoding.model_dump(mode="json")}
    if chosen.decoding.engine == "beam_lm":
        from common.decoding.decoder import Decoder
        from common.language.folder import FILES, read_language
        from pipelines.tuning_calibration import calibration_of

        language = read_language(source)
        alphabet, emissions, store = _validation(name, device)
        texts = list(store.texts)
        best, tried = choose(alphabet, chosen.decoding, chosen.tune, language, emissions, texts, f"{name}: tune")
        written = {"settings": best.model_dump(mode="json"), "tried": tried, "samples": len(texts)}
        written["calibration"] = calibration_of(Decoder(alphabet, best, language), emissions, store)
        for file in FILES:
            if (source / file).is_file():
                shutil.copyfile(source / file, target / file)
        print(
            f"{name}: alpha {best.alpha}, beta {best.beta}, beam width {best.beam_width}: "
            f"validation WER {tried[0]['word_error_rate']}, CER {tried[0]['character_error_rate']}",
            file=sys.stderr,
        )
    write_json(target / CHOSEN, written)


def _validation(name: str, device: str) -> tuple["Alphabet", list["np.ndarray"], "Store"]:
    """Alphabet, emissions and samples of the validation split."""
    from common.bundle import read_bundle
    from common.device import choose_device
    from common.emissions import emissions
    from common.progress import with_progress
    from common.store import Store

    bundle = read_bundle(Path("models") / name)
    store = Store(Path("data") / name / "slices" / "validation.arrow")
    network = bundle.network.to(choose_device(device, "--device"))
    matrices = (store.slices(i) for i in range(len(store)))
    if not len(store):
        raise GlyphoneError(f"{store.path}: there are no validation samples to choose alpha, beta and beam width on")
    found = list(with_progress(emissions(network, matrices), len(store), f"{name}: emissions"))
    return bundle.alphabet, found, store


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
    from common.decoding.decoder import fused, weights_of
    from common.progress import with_progress

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
        row = {"alpha": alpha, "beta": beta, "beam_width": width}
        row |= {"word_errors": words.errors, "word_error_rate": round(words.rate, 6)}
        row |= {"character_errors": characters.errors, "character_error_rate": round(characters.rate, 6)}
        rows.append(row)
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
