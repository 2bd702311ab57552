"""Numbers as people read them."""

import math

NARROW_SPACE = "\u202f"
SPACE = "\u00a0"
DASH, MINUS, TIMES = "\u2013", "\u2212", "\u00d7"
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def format_measured(
    value: float | None, uncertainty: float | None = None, *, digits: int = 4
) -> str:
    """Return a value with its uncertainty, both rounded to two digits of the uncertainty.

    Args:
        value: Measured value; none gives a dash.
        uncertainty: Its standard deviation.
        digits: Significant digits of a value without uncertainty.
    """
    if value is None:
        return DASH
    if not uncertainty:
        return format_plain(value, digits=digits)
    size = max(abs(value), uncertainty)
    power = 0 if 1e-3 <= size < 1e6 else math.floor(math.log10(size))
    scaled, error = value / 10.0**power, uncertainty / 10.0**power
    decimals = max(0, 1 - math.floor(math.log10(error)))
    text = f"{_group(scaled, decimals)}{SPACE}±{SPACE}{_group(error, decimals)}"
    return (
        text
        if power == 0
        else f"({text}){SPACE}{TIMES}{SPACE}10{str(power).translate(SUPERSCRIPTS)}"
    )


def format_plain(value: float, *, digits: int = 4) -> str:
    """Return a number with a few significant digits, whole numbers below a million in full."""
    if value == 0:
        return "0"
    power = math.floor(math.log10(abs(value)))
    if -4 <= power < 6:
        whole = float(value).is_integer() or power >= digits
        return _group(value, 0 if whole else digits - 1 - power, strip=True)
    mantissa = _group(value / 10.0**power, digits - 1, strip=True)
    return f"{mantissa}{SPACE}{TIMES}{SPACE}10{str(power).translate(SUPERSCRIPTS)}"


def format_seconds(seconds: float) -> str:
    """Return a duration in seconds, minutes or hours."""
    if seconds < 59.95:
        return f"{seconds:.1f}{SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{SPACE}min {rest:02d}{SPACE}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}{SPACE}h {minutes:02d}{SPACE}min"


def _group(value: float, decimals: int, *, strip: bool = False) -> str:
    """Return a number with groups of three digits."""
    text = f"{value:,.{decimals}f}"
    if strip and "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace(",", NARROW_SPACE).replace("-", MINUS)
