import pandas as pd

from bumpflow.report.resources import use_by_rule
from bumpflow.report.tables import headline_tables, run_times, score_rows
from bumpflow.summary import Quantity


def test_headlines_set_subjects_by_measures_and_mark_the_best():
    quantities = [
        Quantity("surrogates.control.c2st_auc", 0.499, 0.01),
        Quantity("surrogates.maf.c2st_auc", 0.56, 0.01),
        Quantity("surrogates.rqs.c2st_auc", 0.53, 0.01),
        Quantity("surrogates.rqs.sampling_rate", 1000.0, unit="events/s"),
        Quantity("ingest.rate_ratio", 1.5),
    ]
    test, cost = headline_tables("surrogates", quantities)
    assert [name for name, _ in test.rows] == ["MAF", "RQS", "control (MC against MC)"]
    assert [cells[0].best for _, cells in test.rows] == [False, True, False]
    assert test.columns == ["AUC, ResMLP"]
    assert cost.columns == ["sampling rate [events/s]"]
    assert [name for name, _ in cost.rows] == ["RQS"]


def test_a_variant_of_a_measure_makes_a_row_of_its_own():
    quantities = [
        Quantity("histfactory.mc.coverage68", 0.66, 0.01),
        Quantity("histfactory.surrogate.coverage68", 0.6, 0.01),
        Quantity("histfactory.surrogate.coverage68.nuisance", 0.69, 0.01),
        Quantity("histfactory.limit_seconds", 0.1, unit="s"),
    ]
    (toys,) = headline_tables("histfactory", quantities)
    assert toys.columns == ["coverage, 68.3 %"]
    assert [(name, cells[0].value) for name, cells in toys.rows] == [
        ("Monte Carlo template", 0.66),
        ("generated", 0.6),
        ("generated, with nuisance", 0.69),
    ]


def test_an_analysis_without_a_plan_shows_all_its_measures():
    quantities = [
        Quantity("newthing.first.some_number", 1.0),
        Quantity("newthing.second.other", 2.0),
    ]
    (table,) = headline_tables("newthing", quantities)
    assert table.columns == ["some number", "other"]
    assert table.rows[0][1][1].value is None


def test_scorecard_sets_published_beside_ours():
    (row,) = score_rows([Quantity("a.b.c", 0.534, 0.009, 0.5, "paper", 3000, "nat")])
    assert (row.ours.value, row.published.value, row.n.value) == (0.534, 0.5, 3000)
    assert (row.source, row.unit) == ("paper", "nat")


def test_run_times_keep_their_order_and_shares():
    resources = pd.DataFrame(
        {
            "rule": ["train", "plot"],
            "jobs": [2, 1],
            "seconds": [30.0, 10.0],
            "cpu_seconds": [25.0, 0.0],
            "longest_seconds": [20.0, 10.0],
            "peak_memory_mib": [300.0, float("nan")],
        }
    )
    train, plot = run_times(resources)
    assert (train.rule, train.n_jobs, train.total.value, train.share) == ("train", 2, 30.0, 0.75)
    assert (train.cpu.value, train.longest.value, train.memory.value) == (25.0, 20.0, 300.0)
    assert (train.memory.text, plot.memory.value) == ("300\u00a0MiB", None)


def test_no_run_times_give_no_rows():
    empty = use_by_rule(pd.DataFrame(columns=["rule", "seconds", "cpu_seconds", "memory_mib"]))
    assert run_times(empty) == []
