import pytest

from bumpflow.report.numbers import format_measured, format_plain, format_seconds


def plain(text):
    return (
        text.replace("\u00a0", " ")
        .replace("\u202f", "_")
        .replace("\u2212", "-")
        .replace("\u00d7", "x")
    )


@pytest.mark.parametrize(
    ("value", "uncertainty", "text"),
    [
        (0.53412, 0.00871, "0.5341 ± 0.0087"),
        (-1.5, 0.25, "-1.50 ± 0.25"),
        (123456.7, 820, "123_457 ± 820"),
        (1234567.0, 4200.0, "(1.2346 ± 0.0042) x 10⁶"),
        (2.5e-5, 4e-6, "(2.50 ± 0.40) x 10⁻⁵"),
        (0.0, 0.02, "0.000 ± 0.020"),
        (0.0002, None, "0.0002"),
        (0.5, 0.0, "0.5"),
        (None, None, "\u2013"),
    ],
)
def test_values_are_rounded_by_their_uncertainty(value, uncertainty, text):
    assert plain(format_measured(value, uncertainty)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (10100, "10_100"),
        (6.32791, "6.328"),
        (54321.8, "54_322"),
        (2e6, "2 x 10⁶"),
        (1.23456e-7, "1.235 x 10⁻⁷"),
    ],
)
def test_plain_numbers_keep_four_digits(value, text):
    assert plain(format_plain(value)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.21, "3.2 s"), (59.99, "1 min 00 s"), (75, "1 min 15 s"), (7500, "2 h 05 min")],
)
def test_durations_have_a_fitting_unit(seconds, text):
    assert plain(format_seconds(seconds)) == text
