"""From emissions to text: greedy and prefix beam search behind one function, ``decode``."""

from common.decoding.engines import decode
from common.decoding.hypothesis import EmissionsError, Hypothesis, Symbol, Word, in_units, readable
from common.decoding.settings import DecodingSettings

__all__ = ["DecodingSettings", "EmissionsError", "Hypothesis", "Symbol", "Word", "decode", "in_units", "readable"]
