"""What generators are made of: corrections of jets, and matrix elements."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter
from pandas import DataFrame, Series

from bumpflow.plotting.histograms import Densities
from bumpflow.plotting.names import JETS, SPARE_COLORS, ModelStyle
from bumpflow.plotting.overlays import draw_ratios

CLOSURE = 0.02
"""Half width of the band that corrected jets should lie in."""
REFERENCE_COLOR = "#1f2430"


def draw_response(ax: Axes, table: DataFrame, *, column: str) -> None:
    """Draw the median response of jets against the transverse momentum of their parton.

    Args:
        ax: Axes to draw into.
        table: Columns ``group``, ``pt_gev``, ``pt_low_gev``, ``pt_high_gev``, ``<column>`` and
            ``<column>_error``.
        column: What to draw: ``response``, or ``corrected``.
    """
    ax.axhspan(1 - CLOSURE, 1 + CLOSURE, color="#8b90a0", alpha=0.25, linewidth=0)
    ax.axhline(1, color=REFERENCE_COLOR, linewidth=0.8, linestyle="--")
    for group, rows in table.groupby("group", sort=True):
        style = JETS.get(str(group), ModelStyle(str(group), SPARE_COLORS[0], "o"))
        pt = rows["pt_gev"]
        ax.errorbar(
            pt,
            rows[column],
            rows[f"{column}_error"],
            xerr=[pt - rows["pt_low_gev"], rows["pt_high_gev"] - pt],
            fmt=style.marker,
            color=style.color,
            label=style.label,
            linewidth=0.9,
        )
    ax.set_xscale("log")
    use_plain_powers(ax)


def use_plain_powers(ax: Axes) -> None:
    """Label whole decades, twice and five times them with plain numbers."""
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.xaxis.set_minor_formatter(
        FuncFormatter(lambda x, _: f"{x:g}" if f"{x:e}"[0] in "25" else "")
    )


def draw_response_page(figure: Figure, *, tables: Mapping[str, DataFrame]) -> None:
    """Draw responses before and after the correction, a row per detector and beams.

    Args:
        figure: An empty figure.
        tables: By title, what :func:`draw_response` needs for both columns.
    """
    axes = figure.subplots(len(tables), 2, sharex="row", squeeze=False)
    for row, (title, table) in zip(axes, tables.items(), strict=True):
        for ax, column, when in zip(
            row, ("response", "corrected"), ("before", "after"), strict=True
        ):
            draw_response(ax, table, column=column)
            ax.set_title(f"{title}, {when} the correction")
            ax.set_ylabel(r"median $p_T$(jet) / $p_T$(parton)")
            ax.set_ylim(*_response_limits(table[column], table[f"{column}_error"]))
            ax.set_xlabel(r"$p_T$(parton) [GeV]")
    handles, _ = axes[0, 0].get_legend_handles_labels()
    band = Patch(color="#8b90a0", alpha=0.25, linewidth=0, label=f"± {100 * CLOSURE:g} %")
    figure.legend(handles=[*handles, band], loc="outside lower center", ncols=4)


def _response_limits(values: Series, errors: Series) -> tuple[float, float]:
    """Return limits of an axis that hold all responses, and more than the band about 1."""
    low = np.nanmin(values - errors, initial=1 - 2 * CLOSURE)
    high = np.nanmax(values + errors, initial=1 + 2 * CLOSURE)
    return low - 0.08 * (high - low), high + 0.08 * (high - low)


def kappa_styles(values: Sequence[float]) -> dict[float, ModelStyle]:
    """Return how spectra of each self-coupling are drawn, that of the Standard Model in black."""
    colors = iter(SPARE_COLORS * (1 + len(values) // len(SPARE_COLORS)))
    return {
        value: ModelStyle(rf"$\kappa_\lambda$ = {value:g} (SM)", REFERENCE_COLOR, "*")
        if value == 1
        else ModelStyle(rf"$\kappa_\lambda$ = {value:g}", next(colors), "o")
        for value in values
    }


def spectrum_of(table: DataFrame) -> Densities:
    """Return a spectrum [fb / GeV] of rows ``m_hh_low_gev``, ``m_hh_high_gev``, ... in order."""
    rows = table.sort_values("m_hh_low_gev")
    edges = np.append(rows["m_hh_low_gev"], rows["m_hh_high_gev"].iloc[-1])
    values, errors = rows["dsigma_fb_per_gev"].to_numpy(), rows["dsigma_error"].to_numpy()
    return Densities(values, errors**2, edges)


def draw_double_higgs_page(figure: Figure, *, spectra: DataFrame, totals: DataFrame) -> None:
    r"""Draw mass spectra of Higgs-boson pairs, and total cross-sections, by self-coupling.

    Args:
        figure: An empty figure.
        spectra: Columns ``kappa_lambda``, ``m_hh_low_gev``, ``m_hh_high_gev``,
            ``dsigma_fb_per_gev`` and ``dsigma_error``.
        totals: Columns ``kappa_lambda``, ``crosssection_fb`` and ``crosssection_error_fb``.
    """
    axes = figure.subplots(2, 2, sharex="col", height_ratios=(2.2, 1))
    draw_mass_spectra(axes[0, 0], axes[1, 0], spectra)
    draw_total(axes[0, 1], axes[1, 1], totals)


def draw_mass_spectra(upper: Axes, lower: Axes, table: DataFrame) -> None:
    """Draw spectra of each self-coupling, and their ratios to the Standard Model's if it is there.

    Args:
        upper: Axes of the spectra.
        lower: Axes of the ratios.
        table: Spectra, see :func:`draw_double_higgs_page`.
    """
    styles = kappa_styles(sorted(set(table["kappa_lambda"])))
    found = {value: spectrum_of(table[table["kappa_lambda"] == value]) for value in styles}
    for value, one in found.items():
        color, centers = styles[value].color, (one.edges[1:] + one.edges[:-1]) / 2
        error = np.sqrt(one.variances)
        upper.stairs(one.values, one.edges, color=color, label=styles[value].label)
        upper.errorbar(centers, one.values, error, fmt="none", ecolor=color, linewidth=0.9)
    top = max(one.values.max() for one in found.values())
    upper.set_yscale("log")
    upper.set_ylim(top * 2e-4, top * 2)
    upper.set_ylabel(r"d$\sigma$ / d$m_{HH}$ [fb / GeV]")
    upper.legend(loc="upper right")
    if 1.0 in found:
        names = {str(value): one for value, one in found.items() if value != 1}
        look = {str(value): style for value, style in styles.items()} | {"mc": styles[1.0]}
        draw_ratios(lower, reference=found[1.0], samples=names, styles=look)
        lower.set_yscale("log")
        low, high = lower.get_ylim()
        lower.set_ylim(max(low, 0.03), min(high, 30))  # the tails of spectra have few events
    lower.set_ylabel("ratio to SM")
    lower.set_xlabel(r"$m_{HH}$ [GeV]")
    edges = next(iter(found.values())).edges
    upper.set_xlim(edges[0], edges[-1])


def draw_total(upper: Axes, lower: Axes, table: DataFrame) -> None:
    """Draw cross-sections against the self-coupling, and over the Standard Model's below.

    The curve is the parabola through the points, as the amplitude is linear in the coupling.

    Args:
        upper: Axes of the cross-sections.
        lower: Axes of the ratios.
        table: Cross-sections, see :func:`draw_double_higgs_page`.
    """
    rows = table.sort_values("kappa_lambda")
    x, y, error = (
        rows[name].to_numpy(float)
        for name in ("kappa_lambda", "crosssection_fb", "crosssection_error_fb")
    )
    norm = float(y[x == 1][0]) if np.any(x == 1) else None
    known = f"{norm:.2f} ± {error[x == 1][0]:.2f} fb" if norm is not None else ""
    for ax, scale in ((upper, 1.0), (lower, norm)):
        if scale is None:
            continue
        if len(x) > 2:
            fine = np.linspace(x[0], x[-1], 201)
            ax.plot(fine, np.polyval(np.polyfit(x, y / scale, 2), fine), color="#3f90da")
        ax.errorbar(x, y / scale, error / scale, fmt="o", color="#3f90da", label="calculated")
        if norm is not None:
            star = ax.plot(
                [1], [norm / scale], "*", color=REFERENCE_COLOR, markersize=11, zorder=4
            )
            star[0].set_label(f"SM: {known}")
        ax.axvline(1, color="#8b90a0", linewidth=0.8, linestyle=":")
        ax.set_ylim(bottom=0)
    lower.axhline(1, color="#8b90a0", linewidth=0.8, linestyle=":")
    upper.set_ylabel(r"$\sigma$ [fb]")
    upper.legend(loc="upper right")
    lower.set_ylabel("ratio to SM")
    lower.set_xlabel(r"$\kappa_\lambda = \lambda_{HHH} \, / \, \lambda_{SM}$")
