"""From emissions to text: all engines behind one function, ``decode``; and ctcdecode's own interface."""

from typing import TYPE_CHECKING, Any

from common.decoding.engines import decode
from common.decoding.hypothesis import EmissionsError, Hypothesis, Symbol, Word, in_units, readable
from common.decoding.settings import DecodingSettings

if TYPE_CHECKING:
    from common.decoding.batch_decoder import CTCBeamDecoder
    from common.decoding.online_decoder import DecoderState, OnlineCTCBeamDecoder

__all__ = [
    "CTCBeamDecoder",
    "DecoderState",
    "DecodingSettings",
    "EmissionsError",
    "Hypothesis",
    "OnlineCTCBeamDecoder",
    "Symbol",
    "Word",
    "decode",
    "in_units",
    "readable",
]


def __getattr__(name: str) -> Any:
    # Compiled code is loaded only where it is asked for.
    if name == "CTCBeamDecoder":
        from common.decoding.batch_decoder import CTCBeamDecoder

        return CTCBeamDecoder
    if name in ("OnlineCTCBeamDecoder", "DecoderState"):
        from common.decoding import online_decoder

        return getattr(online_decoder, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
