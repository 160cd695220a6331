"""XML of strangers: parsed without entities, without external parts, without name spaces, and not beyond a size."""

from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from common.errors import SampleError

MAX_FILE_BYTES = 100_000_000


def parse(path: str | Path) -> Element:
    """Root element of an XML file, all tags without their name space.

    Raises:
        SampleError: bad_transcript: missing, too large, not well formed, or with entities of its own (entity bombs).
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise bad(f"{path}: {path.stat().st_size} bytes, allowed are {MAX_FILE_BYTES}")
        root: Element = ElementTree.parse(path, forbid_entities=True, forbid_external=True).getroot()
    except FileNotFoundError:
        raise bad(f"{path}: no such file") from None
    except ParseError as error:
        raise bad(f"{path}: not well-formed XML: {error}") from None
    except DefusedXmlException as error:
        raise bad(f"{path}: XML with entities or external parts is refused: {error}") from None
    except (ValueError, LookupError) as error:  # an unknown or lying encoding
        raise bad(f"{path}: not readable as XML: {error}") from None
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
    return root


def bad(sentence: str) -> SampleError:
    """Why a file cannot be used as a transcript."""
    return SampleError("bad_transcript", sentence)


def integer(value: str | None, what: str, path: str | Path) -> int:
    """A coordinate, rounded to whole pixels. Raises SampleError (bad_transcript) naming the file."""
    try:
        return round(float(value or ""))
    except (ValueError, OverflowError):
        raise bad(f"{path}: {what} must be a number, not {value!r}") from None
