"""What the scorecard says about ALP hunts."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from bumpflow.compatibility.checks import MASS, PUBLISHED
from bumpflow.compatibility.hunting import BUMP, EPO, LR
from bumpflow.compatibility.settings import ECO, EPO_CONV
from bumpflow.summary import Quantity

PAPER = "arXiv:2407.20329"
TABLES = f"{PAPER}, tables 1 and 2"
CODE = "authors' exported results"
BENCHMARKS = ("m0p2", "m1", "m4")
REJECTIONS = {
    ("good", ECO): ((5.86, 5.00, 0.8733), (7.21, 5.08, 0.9189), (18.9, 9.07, 0.9617)),
    ("good", EPO): ((7.96, 6.63, 0.9136), (10.49, 7.38, 0.9420), (60.8, 34.4, 0.9877)),
    ("good", BUMP): ((2.10, 1.64, 0.700), (5.40, 3.67, 0.880), (13.1, 9.8, 0.951)),
    ("poor", ECO): ((5.31, 4.49, 0.8636), (5.47, 4.10, 0.8916), (20.3, 10.1, 0.9612)),
    ("poor", EPO): ((6.85, 5.71, 0.9023), (8.47, 6.11, 0.9320), (21.2, 14.3, 0.9678)),
    ("poor", BUMP): ((1.60, 1.24, 0.609), (3.02, 2.31, 0.790), (6.32, 4.86, 0.894)),
}
"""Published 1/eps_b at signal efficiencies of 80 and 90 %, and areas, by benchmark."""
SENSITIVITIES = {
    ("good", ECO): ((2.67, 2.79, 2.82), (2.06, 2.00, 1.93)),
    ("poor", ECO): ((2.79, 2.70, 2.86), (2.12, 1.91, 1.98)),
    ("good", EPO): ((2.80, 2.87, 2.99), (2.10, 2.07, 2.14)),
    ("poor", EPO): ((2.78, 2.89, 2.96), (2.10, 2.10, 2.10)),
}
"""Published mean two-sided Z by benchmark, at (2, 4) and (6, 4) expected events."""
POINTS = {(2.0, 4.0): "b2s4", (6.0, 4.0): "b6s4"}
POSTERIORS = {"good": (0.715, 0.954, 0.0504), "poor": (0.730, 0.969, 0.0658)}
"""Published coverages at 68 and 95 %, and mean sigma of log10 m."""
SHOWN = (ECO, EPO, EPO_CONV, BUMP)
SAME_AS = {EPO_CONV: EPO}
"""Hunt whose published numbers are the reference: the network's, for closed form and network."""


def moment_quantities(moments: pd.DataFrame) -> list[Quantity]:
    """Return the largest differences of moments of features from published ones.

    Args:
        moments: One row per published row, see :mod:`bumpflow.simulate.alps.moments`.
    """
    n = int(moments["n"].min())
    source = f"{CODE}, scalers"
    return [
        Quantity("alp.moments.max_mean_shift", float(moments["mean"].max()), None, 0, source, n),
        Quantity(
            "alp.moments.max_variance_ratio",
            float(moments["variance"].max() + 1),
            None,
            1,
            source,
            n,
        ),
    ]


def rejection_quantities(
    resolution: str, rejections: pd.DataFrame, *, n_pairs: int
) -> Iterator[Quantity]:
    """Yield how well hunts reject incompatible pairs.

    Networks' uncertainty is the larger of the statistical one and the spread of the ensemble's
    members, as the published one is.

    Args:
        resolution: Name of the resolution.
        rejections: See :func:`bumpflow.compatibility.checks.rejection_table`.
        n_pairs: Pairs behind each number.
    """
    members = rejections[rejections["member"] >= 0].groupby(["benchmark", "hunt"])
    measures = ["rejection80", "rejection90", "auc"]
    spread = members[measures].std()
    for _, row in rejections[rejections["member"] < 0].iterrows():
        benchmark, hunt = row["benchmark"], row["hunt"]
        published = REJECTIONS.get((resolution, SAME_AS.get(hunt, hunt)))
        if hunt not in SHOWN:
            continue
        for place, measure in enumerate(measures):
            error = row[f"{measure}_error"]
            if (benchmark, hunt) in spread.index:
                error = max(error, spread.loc[(benchmark, hunt), measure])
            reference = None
            if published and benchmark in BENCHMARKS:
                reference = published[BENCHMARKS.index(benchmark)][place]
            yield Quantity(
                f"alp.{hunt}.{resolution}.{measure}.{benchmark}",
                float(row[measure]),
                float(error),
                reference,
                TABLES if reference else None,
                n_pairs,
            )


def sensitivity_quantities(resolution: str, points: pd.DataFrame) -> Iterator[Quantity]:
    """Yield mean two-sided significances at the rates that the paper has.

    Args:
        resolution: Name of the resolution.
        points: See :func:`bumpflow.compatibility.performance.point_table`.
    """
    for _, row in points[points["null"] == "background"].iterrows():
        name = POINTS.get((float(row["mu_b"]), float(row["mu_s"])))
        hunt, benchmark = row["hunt"], row["benchmark"]
        if name is None or hunt not in (LR, *SHOWN):
            continue
        reference = None
        published = SENSITIVITIES.get((resolution, EPO if hunt in (LR, EPO_CONV) else hunt))
        if published and benchmark in BENCHMARKS:
            reference = published[list(POINTS.values()).index(name)][BENCHMARKS.index(benchmark)]
        yield Quantity(
            f"alp.{hunt}.{resolution}.z.{benchmark}.{name}",
            float(row["z_two_sided"]),
            float(row["z_two_sided_error"]),
            reference,
            None if reference is None else f"{CODE}{', EPO' if hunt == LR else ''}",
            unit="sigma",
        )


def error_quantities(resolution: str, errors: pd.DataFrame) -> Iterator[Quantity]:
    """Yield errors of the first kind of hunts whose statistic is continuous.

    Args:
        resolution: Name of the resolution.
        errors: See :func:`bumpflow.compatibility.performance.error_table`.
    """
    chosen = errors[errors["hunt"] == LR]
    for _, row in chosen.iterrows():
        percent, rate = (
            f"{number:g}".replace(".", "p") for number in (100 * row["level"], row["mu_b"])
        )
        yield Quantity(
            f"alp.{LR}.{resolution}.type_one{percent}.b{rate}",
            float(row["type_one"]),
            float(row["error"]),
            float(row["level"]),
            "nominal",
        )


def posterior_quantities(resolution: str, record: Mapping[str, Any]) -> Iterator[Quantity]:
    """Yield coverage and sharpness of posteriors of single events.

    Args:
        resolution: Name of the resolution.
        record: See :func:`bumpflow.compatibility.checks.posterior_record`.
    """
    published = POSTERIORS.get(resolution)
    for kind, suffix in ((MASS, ""), (PUBLISHED, ".published")):
        row = record[kind]
        names = ("coverage68", "coverage95", "sigma")
        nominal = (0.68, 0.95, None)
        for place, name in enumerate(names):
            reference = nominal[place] if published is None else published[place]
            value, uncertainty = row[name]
            yield Quantity(
                f"alp.posterior.{resolution}.{name}{suffix}",
                value,
                uncertainty,
                reference,
                CODE if published else "nominal",
                row["n"],
            )


def observed_quantities(name: str, record: Mapping[str, Any]) -> Iterator[Quantity]:
    """Yield what a table of observed events says.

    Args:
        name: Its name.
        record: See :func:`bumpflow.compatibility.observed.analyse_events`.
    """
    for hunt, row in record["hunts"].items():
        yield Quantity(
            f"alp.observed.{name}.p.{hunt}", row["p"], row["p_error"], n=record["n_events"]
        )
