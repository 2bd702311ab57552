"""Read histograms that files hold as such: ROOT's TH1 and HEPData's YAML tables."""

import fnmatch
import reprlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from bumpflow.damage import uproot_errors
from bumpflow.hunts.histogram import InvalidHistogram, join_bins
from bumpflow.ingest.histogram_bins import Bins, center_edges, missing, readable

LARGEST = 1 << 24
"""Bytes beyond which a YAML file cannot be one table."""


def read_root_bins(path: Path, name: str | None) -> Bins:
    """Return the bins of a one-dimensional histogram of a ROOT file.

    What lies below and above its axis is not counted.

    Args:
        path: The file.
        name: Name of the histogram, with its folders; may be None if the file has only one.

    Raises:
        InvalidHistogram: If the file is damaged or has no such histogram.
    """
    with open_root(path) as file, readable_root(path):
        return _root_bins(file[find_object(file, name, kind="TH1", path=path)])


def read_root_groups(path: Path, pattern: str) -> dict[str, Bins]:
    """Return the bins of all one-dimensional histograms of a ROOT file whose name fits.

    Args:
        path: The file.
        pattern: A name, with its folders, in which ``*`` stands for anything.

    Raises:
        InvalidHistogram: If the file is damaged or has no such histogram.
    """
    with open_root(path) as file, readable_root(path):
        names = root_histograms(file)
        found = {name: _root_bins(file[name]) for name in fnmatch.filter(names, pattern)}
    if not found:
        cure = "correct `object`"
        raise InvalidHistogram(missing("TH1 like", pattern, names, file=str(path), cure=cure))
    return found


def root_histograms(file: Any) -> list[str]:  # noqa: ANN401
    """Return the names of the one-dimensional histograms of an open ROOT file."""
    classes = file.classnames(recursive=True, cycle=False)
    return [name for name, found in classes.items() if found.startswith("TH1")]


def _root_bins(histogram: Any) -> Bins:  # noqa: ANN401
    """Return the bins of a TH1."""
    values, edges = histogram.to_numpy(flow=False)
    title = str(histogram.axis().member("fTitle"))
    return Bins(np.asarray(values, np.float64), np.asarray(edges, np.float64), variable=title)


def readable_root(path: Path) -> AbstractContextManager[None]:
    """Turn what a damaged ROOT file leads uproot to into one exception with a cure."""
    return readable(path, "ROOT", also=uproot_errors())


def open_root(path: Path) -> Any:  # noqa: ANN401
    """Return an open ROOT file.

    Raises:
        InvalidHistogram: If it is not one.
    """
    import uproot

    with readable_root(path):
        return uproot.open(path)


def find_object(file: Any, name: str | None, *, kind: str, path: Path) -> str:  # noqa: ANN401
    """Return the key of an object of a ROOT file.

    Args:
        file: The open file.
        name: The object's name, None for the only one.
        kind: How the names of its class begin, ``TH1`` or ``TTree``.
        path: Name of the file, for messages.

    Raises:
        InvalidHistogram: If there is no such object, or several and no name.
    """
    classes = file.classnames(recursive=True, cycle=False)
    known = [key for key, found in classes.items() if found.startswith(kind)]
    if name is None and len(known) == 1:
        return known[0]
    if name is None and known:
        there = ", ".join(map(repr, known))
        msg = f"{path}: it has {len(known)} {kind}s: name one of {there} as `object`"
        raise InvalidHistogram(msg)
    if name is None or name not in known:
        what = kind if name not in classes else f"{kind}, but a {classes[name]},"
        raise InvalidHistogram(missing(what, name, known, file=str(path), cure="correct `object`"))
    return name


def read_hepdata_bins(path: Path, name: str | None) -> Bins:
    """Return the bins of a table in HEPData's YAML format.

    Args:
        path: The file: ``independent_variables``, the first of which gives the bins by ``low``
            and ``high`` or by ``value``, their centre, and ``dependent_variables``.
        name: The dependent variable's name, by default the first.

    Raises:
        InvalidHistogram: If it is not such a file, there is no such variable, or a bin has no
            number.

    References:
        https://hepdata-submission.readthedocs.io/en/latest/data_yaml.html
    """
    if path.stat().st_size > LARGEST:
        msg = (
            f"{path}: more than {LARGEST >> 20} MB, too much for a table: download the table alone"
        )
        raise InvalidHistogram(msg)
    with readable(path, "YAML"), path.open(encoding="utf-8") as stream:
        content = yaml.safe_load(stream)
    axes = _variables(content, "independent_variables", path=path)
    variables = _variables(content, "dependent_variables", path=path)
    names = [_described(variable, "name") for variable in variables]
    if name is not None and name not in names:
        cure = "correct `object`"
        raise InvalidHistogram(
            missing("dependent variable", name, names, file=str(path), cure=cure)
        )
    chosen = variables[0 if name is None else names.index(name)]
    values = _numbers(chosen, "value", path=path)
    if any(isinstance(entry, Mapping) and "low" in entry for entry in axes[0]["values"]):
        ends = [_numbers(axes[0], end, path=path) for end in ("low", "high")]
        edges = join_bins(*ends, name=path.name)
    else:
        edges = center_edges(_numbers(axes[0], "value", path=path), file=path.name)
    if len(values) != len(edges) - 1:
        msg = (
            f"{path}: {len(edges) - 1} bins, but {len(values)} values of"
            f" {_described(chosen, 'name')!r}: give one per bin"
        )
        raise InvalidHistogram(msg)
    variable, unit = (_described(axes[0], key) for key in ("name", "units"))
    return Bins(values, edges, variable=variable, unit=unit)


def _variables(content: Any, kind: str, *, path: Path) -> list[Mapping[str, Any]]:  # noqa: ANN401
    """Return the dependent or independent variables of a table."""
    found = content.get(kind) if isinstance(content, Mapping) else None
    if not (
        isinstance(found, list)
        and found
        and all(
            isinstance(each, Mapping) and isinstance(each.get("values"), list) for each in found
        )
    ):
        msg = (
            f"{path}: no list `{kind}` with `values`: a HEPData table has one: download the table"
            " itself as YAML, not the submission"
        )
        raise InvalidHistogram(msg)
    return found


def _described(variable: Mapping[str, Any], key: str) -> str:
    """Return what the header of a variable says, empty if it says nothing."""
    header = variable.get("header")
    found = header.get(key, "") if isinstance(header, Mapping) else ""
    # Anything else, written out, may fill the memory: aliases in YAML cost a file nothing.
    return str(found) if isinstance(found, str | float) else ""


def _numbers(variable: Mapping[str, Any], key: str, *, path: Path) -> NDArray[np.float64]:
    """Return one number per bin of a variable."""
    entries = variable["values"]
    found = [entry.get(key) if isinstance(entry, Mapping) else None for entry in entries]
    numbers = np.array([_number(value) for value in found], dtype=np.float64)
    # YAML has words for NaN and infinity, which are no numbers either, but found by later checks.
    wrong = [i for i in np.flatnonzero(np.isnan(numbers)) if not isinstance(found[i], float)]
    if wrong:
        name = _described(variable, "name")
        value = found[wrong[0]]
        said = reprlib.repr(value) if isinstance(value, str) else f"a {type(value).__name__}"
        said = "nothing" if value is None else said
        msg = (
            f"{path}, bin {wrong[0] + 1}: `{key}` of {name!r} is {said}, not a number: correct"
            " the bin or remove it from all variables"
        )
        raise InvalidHistogram(msg)
    return numbers


def _number(value: object) -> float:
    """Return a value as a number, NaN if it is none; YAML takes 1e5 for a text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return float("nan")
    try:
        return float(value)
    except (ValueError, OverflowError):
        return float("nan")
