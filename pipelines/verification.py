"""Whether a file reads the same alone as among others: ``transcribe --verify``."""

from common.errors import SampleError
from pipelines.recogniser import Recogniser, Result, reason_of

# A file alone and among others may differ in the last bits of a sum, never by this much.
CONFIDENCE_TOLERANCE = 1e-3


def difference(recogniser: Recogniser, result: Result) -> str:
    """What is not the same when the file of a result is transcribed alone; "" when all is."""
    assert result.hypothesis is not None
    among = result.hypothesis
    try:
        alone = recogniser.transcribe(result.path)
    except (SampleError, OSError) as error:  # gone or changed since
        return f"it cannot be read again: {reason_of(error, result.path)}"
    if alone.text != among.text:
        return f"alone it reads {alone.text!r}, among others {among.text!r}"
    if [(word.start, word.end) for word in alone.words] != [(word.start, word.end) for word in among.words]:
        return "alone its words stand at other places than among others"
    if abs(alone.confidence - among.confidence) > CONFIDENCE_TOLERANCE:
        return f"confidence {alone.confidence:.6f} alone, {among.confidence:.6f} among others"
    return ""
