import gzip
import re

import numpy as np
import pandas as pd
import pytest

from bumpflow.compatibility.photon_pairs import COLUMNS, read_photon_pairs, to_features
from bumpflow.ingest.layout import InvalidEvents
from bumpflow.simulate.alps.features import FEATURES, observe
from bumpflow.simulate.alps.sampling import sample_events
from bumpflow.simulate.alps.settings import BeamDump, Resolution
from bumpflow.simulate.kinematics import azimuth
from tests.unit.simulate.alps.setups import DISPLACED, SHIP

SETUP = BeamDump.from_settings(SHIP)
POOR = Resolution(hit_m=0.001, energy=0.05, theta=0.01, phi=0.01)
PAIRS = {
    "e1_gev": [80.0, 150.0, 40.0],
    "e2_gev": [30.0, 20.0, 35.0],
    "x1_m": [0.5, -1.0, 1.5],
    "x2_m": [0.1, -0.4, 1.7],
    "y1_m": [1.0, 0.2, -2.5],
    "y2_m": [0.3, 0.9, -2.0],
    "theta1_rad": [0.012, 0.015, 0.03],
    "theta2_rad": [0.02, 0.03, 0.04],
    "phi1_rad": [1.1, 3.0, -1.0],
    "phi2_rad": [0.4, -2.0, -0.8],
}


@pytest.fixture
def read(tmp_path):
    """Return a function that reads a table written as text, some columns changed."""

    def run(table=None, *, setup=SETUP, **changes):
        path = tmp_path / "pairs.csv"
        pd.DataFrame((table or PAIRS) | changes).to_csv(path, index=False, na_rep="nan")
        return read_photon_pairs(path, setup, POOR)

    return run


def shown(text):
    return re.escape(text)


def test_features_of_a_table(read):
    found = read()
    assert [*found.columns] == [*FEATURES]
    np.testing.assert_allclose(np.exp(found["ln_e1"]), PAIRS["e1_gev"], rtol=1e-6)
    np.testing.assert_allclose(np.exp(found["ln_theta2"]), PAIRS["theta2_rad"], rtol=1e-6)
    for name in ("x1", "y1", "x2", "y2"):
        np.testing.assert_allclose(found[name], PAIRS[f"{name}_m"], rtol=1e-6)
    np.testing.assert_allclose(found["phi2"], PAIRS["phi2_rad"], rtol=1e-6)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".parquet", ".npy"])
def test_formats_give_the_same_features(suffix, read, tmp_path):
    expected = read()
    table = pd.DataFrame(PAIRS)[list(COLUMNS)]
    path = tmp_path / f"others{suffix}"
    if suffix == ".parquet":
        table[[*COLUMNS[::-1]]].assign(run=[7, 7, 8], name="x").to_parquet(path)
    elif suffix == ".npy":
        np.save(path, table.to_numpy())
    else:
        text = table.to_csv(index=False, sep="\t" if suffix == ".tsv" else ",").encode()
        path.write_bytes(gzip.compress(text) if suffix.endswith("gz") else text)
    pd.testing.assert_frame_equal(read_photon_pairs(path, SETUP, POOR), expected)


def test_more_energetic_photon_becomes_the_first(read):
    expected = read()
    swapped = {name: list(values) for name, values in PAIRS.items()}
    for one in (name for name in PAIRS if "1" in name):
        other = one.replace("1", "2")
        swapped[one][1], swapped[other][1] = swapped[other][1], swapped[one][1]
    pd.testing.assert_frame_equal(read(swapped), expected)


def test_values_are_limited_as_in_the_simulation():
    n, rng = 20_000, np.random.default_rng(1)
    momentum = rng.normal([0, 0, 30], [0.3, 0.3, 5], (2, n, 3))
    momentum[1, :, 2] = rng.uniform(1, 2, n)
    events = {f"true_{hit}{i}": rng.uniform(-1.999, 1.999, n) for hit in "xy" for i in (1, 2)}
    for i in (0, 1):
        for place, axis in enumerate("xyz"):
            events[f"true_p{axis}{i + 1}"] = momentum[i, :, place]
    seen = observe(pd.DataFrame(events), SETUP, POOR, rng=np.random.default_rng(2))
    noise = np.random.default_rng(2)
    columns = {}
    for i in (1, 2):
        p, z = momentum[i - 1], noise.standard_normal((5, n))
        theta = np.arctan2(np.hypot(p[:, 0], p[:, 1]), p[:, 2])
        columns |= {
            f"e{i}_gev": np.linalg.norm(p, axis=1) * (1 + POOR.energy * z[0]),
            f"x{i}_m": events[f"true_x{i}"] + POOR.hit_m * z[1],
            f"y{i}_m": events[f"true_y{i}"] + POOR.hit_m * z[2],
            f"theta{i}_rad": theta + POOR.theta * z[3],
            f"phi{i}_rad": azimuth(p) + POOR.phi * z[4],
        }
    found = to_features(pd.DataFrame(columns), SETUP, POOR)
    first = seen["ln_e1"] > seen["ln_e2"]  # the simulation knows which one is, measured or not
    assert first.mean() > 0.99
    pd.testing.assert_frame_equal(found[first], seen[first])
    assert (seen["ln_theta1"] == np.log(POOR.theta)).any()
    assert (seen["ln_e2"] == 0).any()


@pytest.mark.parametrize("settings", [SHIP, DISPLACED])
def test_no_simulated_event_is_refused(settings, tmp_path):
    setup = BeamDump.from_settings(settings)
    events = sample_events(setup, [0], seed=1, n_events=1000)
    seen = observe(events, setup, POOR, rng=np.random.default_rng(3))
    columns = {}
    for i in (1, 2):
        columns |= {f"e{i}_gev": np.exp(seen[f"ln_e{i}"]), f"phi{i}_rad": seen[f"phi{i}"]}
        columns |= {f"{axis}{i}_m": seen[f"{axis}{i}"] for axis in "xy"}
        columns[f"theta{i}_rad"] = np.exp(seen[f"ln_theta{i}"])
    pd.DataFrame(columns).to_parquet(tmp_path / "pairs.parquet")
    found = read_photon_pairs(tmp_path / "pairs.parquet", setup, POOR)
    ordered = (seen["ln_e1"] > seen["ln_e2"]).to_numpy()
    assert ordered.mean() > 0.96
    np.testing.assert_allclose(found[ordered], seen[ordered], atol=1e-6)


def test_azimuths_from_0_to_2_pi_are_the_same(read):
    expected = read()
    other = {name: np.mod(PAIRS[name], 2 * np.pi) for name in ("phi1_rad", "phi2_rad")}
    np.testing.assert_allclose(read(**other), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "unit", "factor", "name"),
    [
        ("e", "gev", 1000, "MeV"),
        ("e", "gev", 0.001, "TeV"),
        ("x", "m", 1000, "mm"),
        ("y", "m", 100, "cm"),
        ("theta", "rad", 1000, "mrad"),
        ("theta", "rad", 180 / np.pi, "degrees"),
        ("phi", "rad", 180 / np.pi, "degrees"),
        ("phi", "rad", 1000, "mrad"),
    ],
)
def test_other_units_are_recognised(kind, unit, factor, name, read):
    columns = {
        f"{kind}{i}_{unit}": np.multiply(PAIRS[f"{kind}{i}_{unit}"], factor) for i in (1, 2)
    }
    expected = rf"if {kind}1 and {kind}2 are in (\w+ or )?{name}( or \w+)?, convert them to {unit}"
    with pytest.raises(InvalidEvents, match=expected):
        read(**columns)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("e2_gev", np.nan, "nan is not finite: correct the event or remove it"),
        ("x1_m", np.inf, "inf is not finite"),
        ("e2_gev", 0.7, "0.7 is below 1 GeV, the least energy that is accepted"),
        ("e2_gev", -3.0, "-3.0 is below 1 GeV"),
        ("e1_gev", 520.0, "520.0 is above the beam's 400 GeV"),
        ("x2_m", 2.1, "2.1 is outside the calorimeter, which reaches from -2 to 2 m"),
        ("y1_m", -3.006, "-3.006 is outside the calorimeter, which reaches from -3 to 3 m"),
        ("theta1_rad", -0.02, "-0.02 is negative"),
        (
            "theta2_rad",
            0.68,
            "0.68 is above 0.579 rad, the largest angle of a photon from the vessel: correct the",
        ),
        ("phi1_rad", 6.5, "6.5 is above 2 pi"),
        ("phi2_rad", -3.3, "-3.3 is below -pi"),
    ],
)
def test_impossible_values_are_named(column, value, message, read):
    values = list(PAIRS[column])
    values[1] = value
    expected = rf"^pairs\.csv, line 3 \(event 1\), column '{column}': {shown(message)}"
    with pytest.raises(InvalidEvents, match=expected):
        read(**{column: values})


def test_values_a_little_beyond_a_limit_are_set_to_it(read):
    found = read(e2_gev=[0.9, 20.0, 35.0], x1_m=[2.004, -1.0, 1.5], theta1_rad=[0.0, 0.015, 0.03])
    assert found.loc[0, "ln_e2"] == 0
    assert found.loc[0, "x1"] == 2
    assert found.loc[0, "ln_theta1"] == np.log(POOR.theta)


def test_first_bad_event_is_named_in_any_format(tmp_path):
    table = pd.DataFrame(PAIRS)
    table.loc[2, "e1_gev"], table.loc[1, "phi2_rad"] = 5e4, 60
    table.to_parquet(tmp_path / "pairs.parquet")
    with pytest.raises(InvalidEvents, match=r"row 2 \(event 1\), column 'phi2_rad': 60\.0 is"):
        read_photon_pairs(tmp_path / "pairs.parquet", SETUP, POOR)


def test_close_photons_and_repeats_are_refused(read):
    close = {"x2_m": [0.49, -0.4, 1.7], "y2_m": [1.02, 0.9, -2.0]}
    with pytest.raises(InvalidEvents, match=r"line 2 \(event 0\): .* 0\.0224 m apart, but 0\.1 m"):
        read(**close)
    repeated = {name: [*values, values[1]] for name, values in PAIRS.items()}
    with pytest.raises(InvalidEvents, match=r"line 5 \(event 3\): it repeats an earlier one"):
        read(repeated)


def test_missing_columns_and_empty_files(read, tmp_path):
    table = {name.replace("e1_gev", "E1_gev"): values for name, values in PAIRS.items()}
    with pytest.raises(InvalidEvents, match="column 'e1_gev' is missing: did you mean"):
        read(table)
    with pytest.raises(InvalidEvents, match="there are no events"):
        read({name: [] for name in PAIRS})
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(InvalidEvents, match="there are no events"):
        read_photon_pairs(tmp_path / "empty.csv", SETUP, POOR)
    (tmp_path / "pairs.root").write_text("")
    with pytest.raises(InvalidEvents, match=r"unknown format '\.root'"):
        read_photon_pairs(tmp_path / "pairs.root", SETUP, POOR)
