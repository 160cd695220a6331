"""The character model in a language folder: characters.safetensors and characters.json. Nothing in them runs code."""

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save

from common.errors import GlyphoneError
from common.files import read_json, write_bytes, write_json
from common.language.character_model import CharacterModel
from common.language.character_network import CharacterNetwork
from common.language.folder import CHARACTER_DESCRIPTION, CHARACTER_WEIGHTS
from common.language.ngrams import LanguageError
from common.language.settings import CharacterSettings
from common.text import TextSettings

FORMAT_VERSION = 1


def write_characters(
    folder: str | Path,
    model: CharacterModel,
    settings: CharacterSettings,
    text_settings: TextSettings,
    summary: dict[str, Any],
) -> dict[str, Any]:
    """Write a model; return its description.

    Args:
        text_settings: how its texts were normalised.
        summary: what the training says of itself.
    """
    folder = Path(folder)
    data = save({name: tensor.contiguous().clone() for name, tensor in model.network.state_dict().items()})
    write_bytes(folder / CHARACTER_WEIGHTS, data)
    description = {
        "format_version": FORMAT_VERSION,
        "characters": list(model.characters),
        "settings": settings.model_dump(mode="json"),
        "text_settings": text_settings.model_dump(mode="json"),
        "weights_sha256": hashlib.sha256(data).hexdigest(),
        **summary,
    }
    write_json(folder / CHARACTER_DESCRIPTION, description)
    return description


def read_characters(folder: str | Path) -> tuple[CharacterModel, TextSettings]:
    """Read a model, and how its texts were normalised.

    Raises:
        LanguageError: it is missing, damaged, or of another format.
    """
    path = Path(folder) / CHARACTER_DESCRIPTION
    if not path.is_file():
        raise LanguageError(
            f"{folder}: no character model there, {CHARACTER_DESCRIPTION} is missing; set language.characters, run "
            "stages lm and tune"
        )
    content = read_json(path)
    description = content if isinstance(content, dict) else {}
    if (version := description.get("format_version")) != FORMAT_VERSION:
        raise LanguageError(
            f"{path}: format_version is {version!r}, this version of Glyphone reads {FORMAT_VERSION}; update Glyphone "
            "or run stages lm and tune again"
        )
    weights = path.with_name(CHARACTER_WEIGHTS)
    if not weights.is_file():
        raise LanguageError(f"{weights}: no such file, {CHARACTER_DESCRIPTION} names it; run stages lm and tune again")
    data = weights.read_bytes()
    if hashlib.sha256(data).hexdigest() != description.get("weights_sha256"):
        raise LanguageError(
            f"{weights}: the file is damaged, its SHA-256 is not the one in {CHARACTER_DESCRIPTION}; run stages lm and "
            "tune again"
        )
    try:
        settings = CharacterSettings.model_validate_json(json.dumps(description["settings"]), strict=True)
        text_settings = TextSettings.model_validate(description["text_settings"])
        characters = description["characters"]
        network = CharacterNetwork(settings, len(characters) + 2)
        network.load_state_dict(load(data))
        return CharacterModel(characters, network), text_settings
    except (KeyError, TypeError, ValueError, RuntimeError, ValidationError, SafetensorError, GlyphoneError) as error:
        raise LanguageError(
            f"{path}: not a whole character model: {type(error).__name__}: {error}".split("\n")[0]
        ) from None
