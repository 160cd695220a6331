"""Numbers as people read them: percent with honest digits, durations, sizes."""

import math

from common.wording import NO_VALUE, plural

FEW_DRAWN = 10  # with fewer, a bootstrap knows little of how what it draws differs


def decimals_of(low: float | None, high: float | None, num_units: int | None) -> int:
    """How many decimals a percentage deserves, 0 to 2.

    One digit beyond the first of the interval's half width; without an interval, what one unit among ``num_units``
    can move. ``low`` and ``high`` are fractions.
    """
    if low is not None and high is not None and high > low:
        half_width_percent = (high - low) * 50
        return max(0, min(2, 1 - math.floor(math.log10(half_width_percent))))
    if num_units:
        return max(0, min(2, -math.floor(math.log10(100 / num_units))))
    return 1


def percent(fraction: float | None, decimals: int = 1) -> str:
    """``0.0595`` → ``5.9 %`` with a narrow no-break space before the sign."""
    if fraction is None or not math.isfinite(fraction):
        return NO_VALUE
    return f"{hundredths(fraction, decimals)}\u202f%"


def hundredths(fraction: float, decimals: int) -> str:
    """``percent`` without the sign. 0 is written of nothing alone and 100 of all alone: ``0.002`` → ``< 1``."""
    text, step = f"{fraction * 100:.{decimals}f}", 10**-decimals
    if fraction > 0 and float(text) == 0:
        return f"< {step:.{decimals}f}"
    if fraction < 1 and float(text) == 100:
        return f"> {100 - step:.{decimals}f}"
    return text


def points(difference: float | None, decimals: int = 1) -> str:
    """A difference of two fractions in points of percent, with its sign: ``-0.0058`` → ``−0.6``."""
    if difference is None or not math.isfinite(difference):
        return NO_VALUE
    text = f"{difference * 100:.{decimals}f}"
    if float(text) == 0:
        return text.removeprefix("-")
    return f"\u2212{text[1:]}" if text.startswith("-") else f"+{text}"


def caution(number: int, drawn: str, with_p_values: bool = False) -> list[str]:
    """A sentence where a bootstrap draws few; ``drawn`` is groups or samples."""
    if not 0 < number < FEW_DRAWN:
        return []
    only = f"Only {plural(number, drawn.removesuffix('s'))}"
    if number == 1:
        return [f"{only}: too few to draw an interval from."]
    also = ", the p-values too small" if with_p_values else ""
    return [f"{only}: the intervals are rough, and rather too narrow{also}."]


def duration(seconds: float | None) -> str:
    """Seconds as the two largest units that matter: ``2 h 05 min``, ``3 min 20 s``, ``4.2 s``."""
    if seconds is None:
        return NO_VALUE
    if seconds < 10:
        return f"{seconds:.1f}\u00a0s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}\u00a0s"
    if whole < 3600:
        return f"{whole // 60}\u00a0min\u00a0{whole % 60:02d}\u00a0s"
    return f"{whole // 3600}\u00a0h\u00a0{whole % 3600 // 60:02d}\u00a0min"


def short(number: float | None, digits: int = 3) -> str:
    """A plain decimal with ``digits`` significant digits and no exponent where that is readable."""
    if number is None or not math.isfinite(number):
        return NO_VALUE
    if number == 0:
        return "0"
    if abs(number) >= 10**digits:
        return f"{number:,.0f}"
    if abs(number) < 1e-4:
        return f"{number:.{digits - 1}e}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(number))))
    text = f"{number:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def level(confidence: float) -> str:
    """That of intervals, in percent with all its digits, for 99.95 % is not all."""
    return f"{short(confidence * 100, 10)} %"
