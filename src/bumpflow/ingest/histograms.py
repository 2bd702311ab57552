"""Read a histogram of counts from the files that physicists have."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from bumpflow.hunts.histogram import Histogram, InvalidHistogram, check_histogram
from bumpflow.ingest.histogram_bins import Bins
from bumpflow.ingest.histogram_events import check_events, fill_bins
from bumpflow.ingest.histogram_objects import (
    open_root,
    read_hepdata_bins,
    read_root_bins,
    read_root_groups,
    readable_root,
    root_histograms,
)
from bumpflow.ingest.histogram_tables import (
    column_names,
    read_parquet_bins,
    read_parquet_groups,
    read_text_bins,
    read_text_groups,
)

log = logging.getLogger(__name__)

TEXT = (".csv", ".tsv", ".txt", ".dat")
TABLES = (*TEXT, ".parquet")
SUFFIXES = (*TABLES, ".root", ".yaml", ".yml")
OPTIONS = {"columns", "by", "object", "quantity", "scale", "range", "events"}
"""What a reader can be told."""
DESCRIPTIONS = {"path", "variable", "unit", "source"}
"""What may stand beside the options: where the histogram is, and what to call it."""
ALONE = {"columns", "by", "quantity"}
"""Options that have no meaning for a histogram filled from events."""
NAMES = "histogram"
"""Column by which a table that nothing else is said about holds many histograms."""
AT_ONCE = 1 << 25
"""Bytes of a file of events up to which all of it is checked before any job."""
ROUNDING = 1e-6
"""By how much of its width a bin may reach out of the range."""


def read_histogram(path: Path, name: str, options: Mapping[str, Any]) -> Histogram:
    """Read a histogram from a file whose suffix tells its format, and check it.

    Args:
        path: ``.csv``, ``.tsv``, ``.txt`` or ``.dat`` (either may be gzipped, ``.gz``): one bin a
            line; ``.parquet``: one bin a row; ``.root``: a TH1; ``.yaml`` or ``.yml``: a HEPData
            table.
        name: Name of the histogram.
        options: Plain values, all of which may be left out:

            - ``columns``: columns of a table by role, ``{low, high, count}``, ``{edges, count}``,
              ``{center, count}`` or ``{center, width, count}``, by name or position (from 0).
            - ``object``: name of a ROOT histogram or tree, or of a HEPData variable.
            - ``quantity``: ``counts``, or ``density``: values are per unit of the axis, and
              become counts times the widths of their bins.
            - ``scale``: factor on the values, such as an integrated luminosity.
            - ``range``: ``[low, high]``; bins that do not lie inside are cut away.
            - ``events``: ``{column, n_bins, low, high}`` or ``{column, edges}``: the file holds
              events, and the histogram is filled from one of its columns.
            - ``variable`` and ``unit`` of the axis, where the file's own are not wanted; ``path``
              and ``source`` are ignored.

    Returns:
        The histogram, fit for a hunt.

    Raises:
        InvalidHistogram: If an option is unknown, the file is not there, damaged or foreign, or
            :func:`bumpflow.hunts.histogram.check_histogram` refuses what it holds.
    """
    _check_source(path, name, options)
    with _blamed(name):
        bins = _read(path, options)
    return _as_histogram(bins, name, options, path=path)


def read_histograms(path: Path, name: str, options: Mapping[str, Any]) -> list[Histogram]:
    """Read the histogram of a file, or all that a column or a pattern tells apart.

    Args:
        path: As for :func:`read_histogram`.
        name: Name of the histogram, or what the names of many begin with.
        options: As for :func:`read_histogram`, and ``by``: the column of a table of text or
            Parquet that names the histogram of each bin; in ``object``, ``*`` stands for any
            part of the names of ROOT histograms.

    Raises:
        InvalidHistogram: As :func:`read_histogram`.
    """
    if not is_many(options):
        return [read_histogram(path, name, options)]
    _check_source(path, name, options)
    if "by" in options and _suffix(path) not in TABLES:
        msg = f"histogram {name}: {path} is none of {', '.join(TABLES)}, which `by` is for"
        raise InvalidHistogram(msg)
    with _blamed(name):
        found = _read_groups(path, options)
    return [
        _as_histogram(bins, f"{name} {own}", options, path=path) for own, bins in found.items()
    ]


def check_file(path: Path, name: str, options: Mapping[str, Any]) -> None:
    """Refuse a file that cannot be scanned, as far as can be told within a second.

    Of events in large files only the first are read.

    Raises:
        InvalidHistogram: As :func:`read_histogram`.
    """
    if "events" in options and path.stat().st_size > AT_ONCE:
        _check_source(path, name, options)
        with _blamed(name):
            check_events(path, options["events"], name=options.get("object"))
    else:
        read_histograms(path, name, options)


def is_many(options: Mapping[str, Any]) -> bool:
    """Return whether options ask for many histograms of a file."""
    return "by" in options or ("events" not in options and "*" in options.get("object", ""))


def options_for_many(path: Path) -> dict[str, Any]:
    """Return the options for all histograms of a file of many; none for other files.

    It is a table with a column "histogram", or a ROOT file with several TH1.
    """
    if _suffix(path) in TABLES and path.is_file() and NAMES in column_names(path):
        return {"by": NAMES}
    if path.suffix == ".root" and path.is_file():
        with suppress(InvalidHistogram), open_root(path) as file, readable_root(path):
            return {"object": "*"} if len(root_histograms(file)) > 1 else {}
    return {}


def _read_groups(path: Path, options: Mapping[str, Any]) -> dict[str, Bins]:
    """Return the bins of each histogram of a file of many."""
    if "by" not in options:
        return read_root_groups(path, options["object"])
    read = read_parquet_groups if path.suffix == ".parquet" else read_text_groups
    return read(path, options.get("columns"), by=options["by"])


def _suffix(path: Path) -> str:
    """Return the suffix that tells a file's format, whether or not it is compressed."""
    return path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix


@contextmanager
def _blamed(name: str) -> Iterator[None]:
    """Put a histogram's name before what is wrong with its file."""
    try:
        yield
    except InvalidHistogram as error:
        msg = f"histogram {name}: {error}"
        raise InvalidHistogram(msg) from error


def _as_histogram(bins: Bins, name: str, options: Mapping[str, Any], *, path: Path) -> Histogram:
    """Return the bins of a file as a histogram of counts that is fit for a hunt."""
    with _blamed(name):
        bins = _cut(_as_counts(bins, options), options.get("range"), file=path.name)
    variable = str(options.get("variable", bins.variable))
    unit = str(options.get("unit", bins.unit))
    histogram = Histogram(name, bins.values, bins.edges, variable=variable, unit=unit)

    def place(i: int) -> str:
        return f"{path.name}, {bins.place(i)}" if bins.place else path.name

    check_histogram(histogram, place=place)
    log.info(
        "histogram %s: %g events in %d bins from %g to %g %s, from %s",
        name, bins.values.sum(), len(bins.values), bins.edges[0], bins.edges[-1], unit, path,
    )  # fmt: skip
    return histogram


def _check_source(path: Path, name: str, options: Mapping[str, Any]) -> None:
    """Refuse options that mean nothing, and a file that is not there."""
    _check_options(name, options)
    if not path.is_file():
        msg = f"histogram {name}: there is no file {path}: correct its `path`"
        raise InvalidHistogram(msg)


def _check_options(name: str, options: Mapping[str, Any]) -> None:
    """Refuse options that mean nothing."""
    if unknown := sorted(set(options) - OPTIONS - DESCRIPTIONS):
        msg = f"histogram {name}: no option {unknown[0]!r}: options are {sorted(OPTIONS)}"
        raise InvalidHistogram(msg)
    if "events" in options and (useless := sorted(ALONE & set(options))):
        msg = (
            f"histogram {name}: `{useless[0]}` tells how a histogram is stored, but `events` fills"
            " one: remove either"
        )
        raise InvalidHistogram(msg)
    if (quantity := options.get("quantity", "counts")) not in ("counts", "density"):
        msg = f"histogram {name}: quantity is {quantity!r}, but must be counts or density"
        raise InvalidHistogram(msg)
    if not 0 < (scale := options.get("scale", 1)) < np.inf:
        msg = f"histogram {name}: scale is {scale}, but must be positive and finite"
        raise InvalidHistogram(msg)


def _read(path: Path, options: Mapping[str, Any]) -> Bins:
    """Return the bins of a file as it gives them."""
    suffix = _suffix(path)
    columns, name = options.get("columns"), options.get("object")
    if "events" in options:
        return fill_bins(path, options["events"], name=name)
    if suffix in TEXT:
        return read_text_bins(path, columns)
    if suffix == ".parquet":
        return read_parquet_bins(path, columns)
    if suffix == ".root":
        return read_root_bins(path, name)
    if suffix in (".yaml", ".yml"):
        return read_hepdata_bins(path, name)
    msg = f"{path}: suffix {suffix!r} is none of {', '.join(SUFFIXES)}"
    raise InvalidHistogram(msg)


def _as_counts(bins: Bins, options: Mapping[str, Any]) -> Bins:
    """Return bins with counts for values."""
    factor = np.diff(bins.edges) if options.get("quantity") == "density" else 1.0
    return bins._replace(values=bins.values * factor * float(options.get("scale", 1)))


def _cut(bins: Bins, limits: list[float] | None, *, file: str) -> Bins:
    """Return the bins that lie inside a range."""
    if limits is None:
        return bins
    low, high = limits
    slack = ROUNDING * np.diff(bins.edges)
    kept = np.flatnonzero((bins.edges[:-1] >= low - slack) & (bins.edges[1:] <= high + slack))
    if not len(kept):
        msg = (
            f"{file}: no bin lies inside the range {low:g} to {high:g}; the bins are from"
            f" {bins.edges[0]:g} to {bins.edges[-1]:g}: correct `range`"
        )
        raise InvalidHistogram(msg)
    first, last, place = int(kept[0]), int(kept[-1]) + 1, bins.place
    log.info("%s: %d of %d bins lie inside the range", file, len(kept), len(bins.values))
    return bins._replace(
        values=bins.values[first:last],
        edges=bins.edges[first : last + 1],
        place=(lambda i: place(i + first)) if place else None,
    )
