"""What is read from a file has the shape that its reader relies on, or one line says what is wrong and where."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, with_config

from common.errors import GlyphoneError

T = TypeVar("T")
LARGEST = 2**53  # beyond, a float knows no neighbours: no count, length or rate of ours comes near
Count = Annotated[int, Field(ge=0, le=LARGEST)]
Amount = Annotated[float, Field(ge=0, le=LARGEST)]  # finite: seconds, pixels, rates
# Decorates a dataclass that stands for all of an object: a key that it lacks is a mistake.
known_keys = with_config(ConfigDict(extra="forbid", allow_inf_nan=False))
MAX_SHOWN = 60  # characters of a value in a message


class Shape(BaseModel):
    """Keys of an object that a reader relies on; others may stand beside them."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


def checked(kind: type[T], value: Any, where: Any) -> T:
    """What was read from JSON as ``kind``: a ``Shape``, a dataclass, or a list or dict of those.

    Args:
        where: the file, and if there are several values the place in it; for the message.

    Raises:
        GlyphoneError: it has another shape; the first mistake is told, and how many there are.
    """
    try:
        made: T = _adapter(kind).validate_python(value)  # type: ignore[arg-type]  # mypy: type[T] is not hashable
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        given = "" if first["type"].startswith("missing") else _shortened(repr(first["input"]))
        more = f" ({error.error_count() - 1} more of this kind)" if error.error_count() > 1 else ""
        said = ": ".join(filter(None, (place, given, sentence(first))))
        raise GlyphoneError(f"{where}: {said}{more}") from None
    return made


@contextmanager
def written_by(stage: str) -> Iterator[None]:
    """Adds to an error about a file which stage writes it."""
    try:
        yield
    except GlyphoneError as error:
        raise GlyphoneError(f"{error}; stage {stage} writes it: run that again") from None


def sentence(mistake: Any) -> str:
    """One of pydantic's mistakes in our words."""
    message: str = mistake["msg"].removeprefix("Value error, ")
    if mistake["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return "unknown key"
    if mistake["type"].startswith("missing"):
        return "this key is needed"
    if mistake["type"] == "too_short":
        return f"at least {mistake['ctx']['min_length']} of them must stand there"
    return message.replace("Input should be", "must be", 1)


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
