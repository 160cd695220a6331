"""Share of IIIT5K's test words read right, case ignored: n-grams of the training words on iiit5k_accuracy's model."""

from benchmarks.iiit5k_accuracy import PART, evidence_of
from benchmarks.record import Record
from benchmarks.result import Result

# Unit and order were chosen on validation data, as alpha, beta and beam width are by stage tune.
CHARACTERS = {
    "ocr.language.unit": "char",
    "ocr.language.order": 8,
    "ocr.decoding.engine": "beam_lm",
}


RECORDS = (Record("iiit5k_accuracy", "iiit5k_pretrained", "ocr", PART, CHARACTERS),)


def run() -> Result:
    """Train as ``iiit5k_accuracy`` does and in its workspace; then decode the same emissions with character n-grams."""
    return evidence_of(RECORDS[0].run())
