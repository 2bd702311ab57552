"""Make the small spectra of `resources/spectra` from published files.

Run as ``python resources/make_spectra.py --output resources/spectra --diphoton FILE --dijet FILE
--pairs FILE --upsilon FILE --z FILE``; the README says where the files come from.
"""

from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2

from bumpflow import io
from bumpflow.simulate.kinematics import invariant_mass

MUON_MASS_GEV = 0.1057
OPEN_DATA = {
    "source": "CMS, CERN Open Data, https://opendata.cern.ch",
    "licence": "CC0, https://creativecommons.org/publicdomain/zero/1.0/",
}


def make_diphoton(file: Path, output: Path) -> None:
    """Write the spectrum of photon pairs: bins of 2 GeV by their edges."""
    centers, counts, _ = np.loadtxt(file).T
    comment = (
        "ATLAS, Phys. Lett. B 716 (2012) 1, arXiv:1207.7214, figure 4a, digitised: photon pairs"
    )
    write_counts(output, centers - 1, centers + 1, counts, comment=comment)


def make_pairs(file: Path, output: Path, *, luminosity: float, rounding: float) -> None:
    """Write the counts behind the cross-section of pairs of dijets.

    Cross-section times width times luminosity must be whole numbers, and the errors those of
    Poisson counts; otherwise it would not be sound to speak of counts.

    Args:
        file: Columns ``x`` [GeV], ``y`` [fb / GeV], ``y_up``, ``y_down`` and ``bin_width`` [GeV].
        output: Table to write.
        luminosity: Integrated luminosity [1 / fb].
        rounding: Largest relative error of the printed cross-sections.
    """
    table = pd.read_csv(file)
    exposure = table["bin_width"].to_numpy() * luminosity
    expected = table["y"].to_numpy() * exposure
    counts = np.round(expected)
    assert np.all(np.abs(expected - counts) <= 1e-3 + rounding * counts), "counts are not whole"
    errors = table[["y_down", "y_up"]].to_numpy().T * exposure
    some = counts > 0  # without any events, the upper limit is a matter of convention
    assert np.allclose(errors[:, some], poisson_errors(counts[some]), rtol=0.01), "errors differ"
    half = 0.5 * table["bin_width"].to_numpy()
    comment = "CMS, arXiv:2206.09997, HEPData, counts from cross-sections: pairs of dijets"
    write_counts(output, table["x"] - half, table["x"] + half, counts, comment=comment)


def poisson_errors(counts: NDArray) -> NDArray[np.float64]:
    """Return the lower and upper errors of counts at 68.3 % [Garwood], shape ``(2, n)``."""
    tail = 0.15865525
    low = chi2.ppf(tail, 2 * counts) / 2
    return np.stack([counts - low, chi2.isf(tail, 2 * counts + 2) / 2 - counts])


def write_counts(
    path: Path, low: NDArray, high: NDArray, counts: NDArray, *, comment: str
) -> None:
    """Write one bin a line."""
    rows = [f"{a:g},{b:g},{n:.0f}" for a, b, n in zip(low, high, counts, strict=True)]
    io.write_text(path, "\n".join([f"# {comment}", "low_gev,high_gev,count", *rows]) + "\n")


def make_upsilon(file: Path, output: Path) -> None:
    """Write the masses of pairs of muons of opposite charge, from energies and momenta."""
    events = pd.read_csv(file)
    muons = [events[[f"{name}{i}" for name in ("px", "py", "pz", "E")]].to_numpy() for i in (1, 2)]
    found = [float(np.median(invariant_mass(muon))) for muon in muons]
    assert np.allclose(found, MUON_MASS_GEV, rtol=0.01), f"these are no muons: masses {found}"
    opposite = (events["Q1"] * events["Q2"] < 0).to_numpy()
    mass = invariant_mass(muons[0] + muons[1])[opposite]
    changes = {"changes": "only the mass, from energies and momenta; opposite charges"}
    table = pd.DataFrame({"mass_gev": mass.astype(np.float32)})
    io.write_table(output, table, metadata=OPEN_DATA | changes)


def make_z(file: Path, output: Path) -> None:
    """Write the masses of pairs of muons around the Z boson."""
    events = pd.read_csv(file)
    opposite = events["Q1"] * events["Q2"] < 0
    table = pd.DataFrame({"mass_gev": events.loc[opposite, "M"].astype(np.float32)})
    changes = {"changes": "only the mass, as given; opposite charges"}
    io.write_table(output, table.reset_index(drop=True), metadata=OPEN_DATA | changes)


def main(
    *, output: Path, diphoton: Path, dijet: Path, pairs: Path, upsilon: Path, z: Path
) -> None:
    """Write all spectra to the folder ``output``."""
    make_diphoton(diphoton, output / "atlas_hyy_2012.csv")
    with io.atomic(output / "cms_dijet_137fb.yaml") as part:
        part.write_bytes(io.read_bytes(dijet))
    # The files' luminosity: whole numbers of events result, which 138 / fb do not give.
    make_pairs(pairs, output / "cms_paired_dijet.csv", luminosity=137.0, rounding=1e-5)
    make_upsilon(upsilon, output / "cms_dimuons_upsilon.parquet")
    make_z(z, output / "cms_dimuons_z.parquet")


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    for name in ("output", "diphoton", "dijet", "pairs", "upsilon", "z"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    main(**vars(parser.parse_args()))
