"""Stage lm's character model: learned (a killed run goes on), held against n-grams of characters, written."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from common.language.character_folder import write_characters
from common.language.character_training import learn_characters
from common.language.kneser_ney import train
from common.language.settings import CharacterSettings, LanguageSettings
from common.language.text import perplexity, tokens_of
from common.text import TextSettings
from common.training.checkpoint import digest_files, fingerprint
from pipelines.resume_state import STATE, finish, resume_folder

# Resume states kept a modality, the newest ones.
KEPT_STATES = 2
ROOT = Path(__file__).parent.parent
CODE = (
    "common/language/character_*.py",
    "common/recurrent/*.py",
    "common/training/checkpoint.py",
    "common/modality.py",
)
# What the model is held against, where n-grams of characters are not learned anyway.
ORDER = 6
# More would take gigabytes for a figure that only compares.
MAX_COMPARED_CHARACTERS = 20_000_000


def write_character_model(
    name: str,
    folder: Path,
    texts: Sequence[str],
    validation: Sequence[str],
    language: LanguageSettings,
    text_settings: TextSettings,
    seed: int,
) -> None:
    """Learn the character model of one modality and write it into ``folder``.

    Args:
        texts, validation: normalised.
    """
    settings = language.characters
    assert settings is not None
    parts = decisive(texts, validation, settings, seed)
    state = resume_folder(STATE / "language" / name, name, parts, KEPT_STATES)
    learned = learn_characters(texts, validation, settings, seed, state)
    order = language.order if language.unit == "char" else ORDER
    found = f"{name}: character model, epoch {learned.best_epoch}: validation perplexity {learned.best_perplexity:.6g}"
    ngrams = None
    # No NUL is learned by n-grams: then there is nothing to compare with.
    if sum(map(len, texts)) <= MAX_COMPARED_CHARACTERS and not any("\0" in text for text in texts):
        model, _ = train((tokens_of(text, "char") for text in texts if text), order)
        ngrams = {"order": order, **perplexity(model, "char", filter(None, validation))}
        found += f", of {order}-grams of characters {ngrams['perplexity']}"
    summary = {
        "seed": seed,
        "num_texts": sum(map(bool, texts)),
        "num_parameters": sum(each.numel() for each in learned.model.network.parameters()),
        "epochs": len(learned.history),
        "best_epoch": learned.best_epoch,
        "history": [{split: float(f"{each:.6g}") for split, each in row.items()} for row in learned.history],
        "validation": {"perplexity": float(f"{learned.best_perplexity:.6g}"), "ngrams": ngrams},
    }
    write_characters(folder, learned.model, settings, text_settings, summary)
    finish(state)
    print(found, file=sys.stderr)


def decisive(texts: Sequence[str], validation: Sequence[str], settings: CharacterSettings, seed: int) -> dict[str, Any]:
    """All that decides the weights."""
    chosen = settings.model_dump(mode="json", exclude={"checkpoint_minutes"})
    return {
        "seed": seed,
        "settings": {"language": {"characters": chosen}},
        "texts": fingerprint({"texts": list(texts), "validation": list(validation)}),
        "code": digest_files([path for pattern in CODE for path in ROOT.glob(pattern)]),
        "torch": torch.__version__,
    }
