"""Confidences of texts that a language model chose: what stage tune fitted puts them right, not what train did."""

from dataclasses import replace
from pathlib import Path

from common.bundle import Bundle
from common.calibration import Calibration
from common.decoding import DecodingSettings
from common.decoding.places import CHOSEN, LANGUAGE_FOLDER
from common.errors import GlyphoneError
from common.files import read_json


def calibrated_for(bundle: Bundle, folder: str | Path, decoding: DecodingSettings) -> Bundle:
    """The bundle with the calibration of a decoder's hypotheses.

    With engine beam_lm or rescoring it is that of ``decoding.json`` in the bundle's folder; where there is none, as of
    older models, or one of other texts (of another engine, or rescored where these are not), and else, it is the
    bundle's own, of greedy hypotheses.

    Raises:
        GlyphoneError: ``decoding.json`` is damaged or of another version.
    """
    path = Path(folder) / LANGUAGE_FOLDER / CHOSEN
    chosen_by_language = decoding.engine == "beam_lm" or decoding.rescoring is not None
    if not chosen_by_language or not path.is_file():
        return bundle
    try:
        content = read_json(path)
        description, tuned = content.get("calibration"), content["settings"]
        was_rescored = tuned.get("rescoring") is not None
        if description is None or (tuned["engine"], was_rescored) != (decoding.engine, decoding.rescoring is not None):
            return bundle
        calibration = Calibration.of_description(description)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise GlyphoneError(f"{path}: not of this version of Glyphone: calibration: {error}") from None
    return replace(bundle, calibration=calibration, calibration_errors=description)
