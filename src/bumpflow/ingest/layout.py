"""Say which columns a file of events must have, and match them with those that it has."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal

LABEL = "label"

# Names and order of the UCI HIGGS file: https://doi.org/10.24432/C5V312
HIGGS_FEATURES = (
    "lepton_pT",
    "lepton_eta",
    "lepton_phi",
    "missing_energy_magnitude",
    "missing_energy_phi",
    *(f"jet_{jet}_{what}" for jet in (1, 2, 3, 4) for what in ("pt", "eta", "phi", "btag")),
    "m_jj",
    "m_jjj",
    "m_lv",
    "m_jlv",
    "m_bb",
    "m_wbb",
    "m_wwbb",
)
HIGGS_NONNEGATIVE = frozenset(
    name
    for name in HIGGS_FEATURES
    if name.startswith("m_") or name.endswith(("_pT", "_pt", "_magnitude"))
)
LABEL_NAMES = frozenset({"label", "class", "classlabel", "target", "y"})


class InvalidEvents(ValueError):
    """A file of events cannot be used; the message says where, why and what to do."""


@dataclass(frozen=True)
class Layout:
    """What a file of events holds.

    Attributes:
        features: Canonical name of each feature, in the order to store them; empty takes every
            column of the file but the label.
        sources: Names in the file, for features that have another one there.
        nonnegative: Features that physics allows no negative value of.
        label: ``"auto"``, ``"first"`` or ``"last"`` column of a strict layout; otherwise the
            label column's name, or the label that all events share.
        header: Whether text files start with a line of names.
        strict: Whether the columns are these and no others. Names then match whatever their
            capitals, spaces and punctuation: ``jet 1 b-tag`` is ``jet_1_btag``.
    """

    features: tuple[str, ...]
    sources: Mapping[str, str] = field(default_factory=dict)
    nonnegative: frozenset[str] = frozenset()
    label: str | int = "auto"
    header: Literal["auto", "present", "absent"] = "auto"
    strict: bool = True


def build_layout(kind: Literal["higgs", "table"], options: Mapping[str, Any]) -> Layout:
    """Return the layout that a dataset's configuration describes.

    Args:
        kind: ``"higgs"``: the 28 features of UCI HIGGS and a label. ``"table"``: any columns
            with names.
        options: ``label``; of UCI HIGGS also ``header``; of a table also ``columns`` (list of
            names, or a map from our names to the file's) and ``nonnegative``.

    Raises:
        ValueError: If an option does not belong to this kind, or contradicts another.
    """
    allowed = ["label", "header"] if kind == "higgs" else ["label", "columns", "nonnegative"]
    if unknown := [name for name in options if name not in allowed]:
        msg = f"layout {kind!r} has no option {unknown[0]!r}: its options are {allowed}"
        raise ValueError(msg)
    _check_label(kind, options)
    if kind == "higgs":
        return Layout(HIGGS_FEATURES, nonnegative=HIGGS_NONNEGATIVE, **options)
    columns = options.get("columns", [])
    nonnegative = frozenset(options.get("nonnegative", []))
    if columns and (unknown := sorted(nonnegative - set(columns))):
        msg = f"nonnegative names {unknown[0]!r}, which is not in columns: {list(columns)}"
        raise ValueError(msg)
    return Layout(
        tuple(columns),
        sources=dict(columns) if isinstance(columns, Mapping) else {},
        nonnegative=nonnegative,
        label=options.get("label", LABEL),
        header="present",
        strict=False,
    )


def _check_label(kind: Literal["higgs", "table"], options: Mapping[str, Any]) -> None:
    """Refuse labels that mean nothing in a layout."""
    label = options.get("label", LABEL if kind == "table" else "auto")
    if kind == "higgs" and label not in ("auto", "first", "last"):
        msg = f"label is {label!r}, but in layout 'higgs' it is auto, first or last"
        raise ValueError(msg)
    if kind == "table" and not isinstance(label, str) and label not in (0, 1):
        msg = f"label is {label!r}, but it must be a column's name, 0 or 1"
        raise ValueError(msg)


def match_header(layout: Layout, header: Sequence[str], *, file: str) -> list[str | None]:
    """Return the canonical name of each column of a file, or None for those not needed.

    Args:
        layout: What the file must hold.
        header: Names in the file, in order.
        file: Name of the file, for messages.

    Raises:
        InvalidEvents: If a column is missing, unknown or occurs twice.
    """
    key = _plain if layout.strict else str
    labels = _label_names(layout)
    features = layout.features or [name for name in header if key(name) not in labels]
    known = {key(layout.sources.get(name, name)): name for name in features}
    found = [LABEL if key(name) in labels else known.get(key(name)) for name in header]
    for name, canonical in zip(header, found, strict=True):
        if canonical is None and layout.strict:
            msg = f"{file}: column {name!r} is unknown{_nearest(name, [*features, LABEL])}"
            raise InvalidEvents(msg)
        if canonical is not None and found.count(canonical) > 1:
            msg = f"{file}: column {canonical!r} occurs {found.count(canonical)} times: keep one"
            raise InvalidEvents(msg)
    for canonical in [*features, *([LABEL] if labels else [])]:
        if canonical not in found:
            name = layout.sources.get(canonical, canonical)
            if canonical == LABEL and not layout.strict:
                name = str(layout.label)
            msg = f"{file}: column {name!r} is missing{_nearest(name, header)}"
            raise InvalidEvents(msg)
    return found


def _label_names(layout: Layout) -> frozenset[str]:
    """Return the names that the label's column may have; none if the label is a constant."""
    if layout.strict:
        return LABEL_NAMES
    return frozenset([layout.label]) if isinstance(layout.label, str) else frozenset()


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _nearest(name: str, known: Sequence[str]) -> str:
    """Return a hint at the most similar of the known names, or at all of them."""
    near = get_close_matches(name, known, n=1)
    return f": did you mean {near[0]!r}?" if near else f": there are {', '.join(known)}"
