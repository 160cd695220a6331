"""The augmentation that a trained model saw."""

from collections.abc import Callable
from functools import partial

import numpy as np
from pydantic import ValidationError

from common.bundle import Bundle
from common.errors import GlyphoneError
from common.modality import Modality
from pipelines.modalities import modality


def augmentation_of(bundle: Bundle) -> Callable[..., np.ndarray]:
    """(slices [T, F], generator, …) → [T', F], by the settings in the bundle.

    Raises:
        GlyphoneError: they are not of this version.
    """
    kind = modality(bundle.modality)
    try:
        settings = kind.AugmentSettings(**bundle.augment_settings)
    except ValidationError as error:
        keys = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
        raise GlyphoneError(f"the model's augment settings are not of this version of Glyphone: {keys}") from None
    return partial(_augment, kind, settings)


def _augment(kind: Modality, settings: object, slices: np.ndarray, *randoms: np.random.Generator) -> np.ndarray:
    return kind.augment(slices, settings, *randoms)
