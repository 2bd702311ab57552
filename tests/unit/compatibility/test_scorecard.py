import re

import numpy as np
import pandas as pd
import pytest

from bumpflow.compatibility import scorecard
from bumpflow.summary import as_records

BENCHMARKS = ["m0p2", "m1", "m4"]
MEASURES = ["rejection80", "rejection90", "auc"]


def by_name(quantities):
    found = list(quantities)
    as_records(found)  # refuses what occurs twice
    return {quantity.quantity: quantity for quantity in found}


def rejections():
    """Return numbers of an ensemble of two, of the closed form, and of windows."""
    rows = []
    for place, benchmark in enumerate(BENCHMARKS):
        hunts = [("eco", m) for m in (-1, 0, 1)] + [("epoconv", -1), ("epo", -1), ("bump", -1)]
        for hunt, member in hunts:
            row = {"benchmark": benchmark, "hunt": hunt, "member": member}
            for measure in MEASURES:
                row[measure] = 5.0 + place + 0.1 * member
                row[f"{measure}_error"] = 0.01 if measure == "auc" else 0.5
            rows.append(row)
    return pd.DataFrame(rows)


def points(hunts=("lr", "lrshape", "lrmax", "eco", "epo", "epoconv", "bump", "fair")):
    rows = [
        (benchmark, hunt, mu_b, mu_s, null)
        for benchmark in BENCHMARKS
        for hunt in hunts
        for mu_b, mu_s in ((2, 4), (6, 4), (2, 3))
        for null in ("background", "total")
    ]
    table = pd.DataFrame(rows, columns=["benchmark", "hunt", "mu_b", "mu_s", "null"])
    z = np.where(table["null"] == "background", 2 + table["mu_b"] / 10, 1)
    return table.assign(z_two_sided=z, z_two_sided_error=0.05)


def test_moments():
    table = pd.DataFrame({"n": [500, 400], "mean": [0.01, 0.03], "variance": [0.1, 0.05]})
    found = by_name(scorecard.moment_quantities(table))
    assert list(found) == ["alp.moments.max_mean_shift", "alp.moments.max_variance_ratio"]
    assert [one.value for one in found.values()] == [0.03, 1.1]
    assert [one.reference for one in found.values()] == [0, 1]
    assert {one.n for one in found.values()} == {400}


def test_rejections_have_their_names_and_references():
    found = by_name(scorecard.rejection_quantities("good", rejections(), n_pairs=1000))
    assert set(found) == {
        f"alp.{hunt}.good.{measure}.{benchmark}"
        for hunt in ("eco", "epo", "epoconv", "bump")
        for measure in MEASURES
        for benchmark in BENCHMARKS
    }
    assert found["alp.eco.good.auc.m4"].value == 5 + 2 - 0.1
    # Tables 1 and 2 of the paper.
    references = {
        "alp.eco.good.rejection80.m0p2": 5.86,
        "alp.eco.good.rejection90.m0p2": 5.00,
        "alp.eco.good.auc.m4": 0.9617,
        "alp.epo.good.rejection80.m4": 60.8,
        "alp.epoconv.good.rejection80.m4": 60.8,
        "alp.bump.good.auc.m1": 0.880,
    }
    assert {name: found[name].reference for name in references} == references
    assert {one.n for one in found.values()} == {1000}


def test_networks_differ_by_their_spread():
    found = by_name(scorecard.rejection_quantities("poor", rejections(), n_pairs=1000))
    spread = np.std([0.0, 0.1], ddof=1)
    assert found["alp.eco.poor.auc.m1"].uncertainty == pytest.approx(spread)
    assert found["alp.eco.poor.rejection80.m1"].uncertainty == 0.5
    assert found["alp.epo.poor.auc.m1"].uncertainty == 0.01


def test_one_network_has_no_spread():
    table = rejections()
    found = by_name(
        scorecard.rejection_quantities("poor", table[table["member"] < 1], n_pairs=1000)
    )
    assert found["alp.eco.poor.auc.m1"].uncertainty == 0.01


def test_sensitivities_have_their_names_and_references():
    found = by_name(scorecard.sensitivity_quantities("poor", points()))
    assert set(found) == {
        f"alp.{hunt}.poor.z.{benchmark}.{rates}"
        for hunt in ("lr", "eco", "epo", "epoconv", "bump")
        for benchmark in BENCHMARKS
        for rates in ("b2s4", "b6s4")
    }
    assert found["alp.eco.poor.z.m1.b2s4"].value == 2.2
    assert found["alp.eco.poor.z.m1.b6s4"].value == 2.6
    assert {one.unit for one in found.values()} == {"sigma"}
    references = {
        "alp.eco.poor.z.m0p2.b2s4": 2.79,
        "alp.eco.poor.z.m4.b6s4": 1.98,
        "alp.epo.poor.z.m1.b2s4": 2.89,
        "alp.lr.poor.z.m1.b2s4": 2.89,
        "alp.epoconv.poor.z.m1.b6s4": 2.10,
        "alp.bump.poor.z.m1.b2s4": None,
    }
    assert {name: found[name].reference for name in references} == references
    assert "EPO" in found["alp.lr.poor.z.m1.b2s4"].reference_source
    assert found["alp.bump.poor.z.m1.b2s4"].reference_source is None


def test_errors_of_the_first_kind_are_those_of_the_likelihood_ratio():
    rows = [
        (hunt, mu_b, level, 0.9 * level, 0.001)
        for hunt in ("lr", "eco")
        for mu_b in (2.0, 0.5)
        for level in (0.05, 0.001)
    ]
    table = pd.DataFrame(rows, columns=["hunt", "mu_b", "level", "type_one", "error"])
    found = by_name(scorecard.error_quantities("good", table))
    assert set(found) == {
        f"alp.lr.good.type_one{level}.b{mu_b}" for level in ("5", "0p1") for mu_b in ("2", "0p5")
    }
    assert found["alp.lr.good.type_one5.b2"].value == pytest.approx(0.045)
    assert found["alp.lr.good.type_one5.b2"].reference == 0.05


def record():
    row = {"coverage68": [0.7, 0.01], "coverage95": [0.96, 0.002], "sigma": [0.05, 0.001]}
    wider = {name: [value + 0.01, error] for name, (value, error) in row.items()}
    return {"mass": row | {"n": 900}, "published": wider | {"n": 900}}


def test_posteriors_have_their_names_and_references():
    found = by_name(scorecard.posterior_quantities("poor", record()))
    names = ["coverage68", "coverage95", "sigma"]
    ours = [f"alp.posterior.poor.{name}" for name in names]
    assert list(found) == [*ours, *(f"{name}.published" for name in ours)]
    assert [found[name].value for name in ours] == [0.7, 0.96, 0.05]
    assert [found[name].reference for name in ours] == [0.730, 0.969, 0.0658]
    assert found["alp.posterior.poor.sigma.published"].value == pytest.approx(0.06)
    assert found["alp.posterior.poor.sigma"].n == 900


def test_other_resolutions_have_no_published_numbers():
    found = by_name(
        [
            *scorecard.rejection_quantities("mine", rejections(), n_pairs=1000),
            *scorecard.sensitivity_quantities("mine", points()),
            *scorecard.posterior_quantities("mine", record()),
        ]
    )
    known = {name: one.reference for name, one in found.items() if one.reference is not None}
    nominal = {"coverage68": 0.68, "coverage95": 0.95}
    assert known == {
        f"alp.posterior.mine.{name}{suffix}": value
        for name, value in nominal.items()
        for suffix in ("", ".published")
    }
    assert all(one.reference_source in (None, "nominal") for one in found.values())


def test_other_benchmarks_have_no_published_numbers():
    table = rejections().replace({"benchmark": {"m4": "m3"}})
    found = by_name(scorecard.rejection_quantities("good", table, n_pairs=10))
    assert found["alp.eco.good.auc.m3"].reference is None
    assert found["alp.eco.good.auc.m1"].reference == 0.9189


def test_observed_events():
    hunts = {"eco": {"p": 0.03, "p_error": 0.001}, "lr": {"p": 0.2, "p_error": 0.01}}
    found = by_name(scorecard.observed_quantities("mine", {"n_events": 7, "hunts": hunts}))
    assert {name: one.value for name, one in found.items()} == {
        "alp.observed.mine.p.eco": 0.03,
        "alp.observed.mine.p.lr": 0.2,
    }
    assert {one.n for one in found.values()} == {7}


def test_names_are_those_of_the_text():
    found = by_name(
        [
            *scorecard.rejection_quantities("good", rejections(), n_pairs=10),
            *scorecard.sensitivity_quantities("good", points()),
            *scorecard.posterior_quantities("good", record()),
        ]
    )
    pattern = re.compile(
        r"alp\.((eco|epo|epoconv|bump)\.good\.(auc|rejection80|rejection90)\.(m0p2|m1|m4)"
        r"|(lr|eco|epo|epoconv|bump)\.good\.z\.(m0p2|m1|m4)\.(b2s4|b6s4)"
        r"|posterior\.good\.(coverage68|coverage95|sigma)(\.published)?)"
    )
    assert [name for name in found if not pattern.fullmatch(name)] == []
