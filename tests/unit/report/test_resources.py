import pandas as pd
import pytest

from bumpflow import io
from bumpflow.report.provenance import describe_time
from bumpflow.report.resources import PAUSE, elapsed_seconds, use_by_rule

NAN = float("nan")


def jobs(*rows):
    columns = ["rule", "seconds", "cpu_seconds", "memory_mib", "finished"]
    return pd.DataFrame(rows, columns=columns)


def test_use_is_summed_by_rule_and_memory_is_the_largest():
    table = use_by_rule(
        jobs(
            ("plot", 10, NAN, NAN, 0),
            ("train", 10, 9, 100, 0),
            ("train", 20, 18, 300, 0),
            ("train", 5, 4, 200, 0),
        )
    )
    assert table.columns.tolist() == [
        *("rule", "jobs", "seconds", "cpu_seconds", "longest_seconds", "peak_memory_mib")
    ]
    assert table.loc[0].tolist() == ["train", 3, 35, 31, 20, 300]
    assert table.loc[1, ["rule", "jobs", "cpu_seconds"]].tolist() == ["plot", 1, 0]
    assert pd.isna(table.loc[1, "peak_memory_mib"])


def test_elapsed_time_counts_what_runs_side_by_side_once():
    side_by_side = jobs(("a", 10, 10, 1, 110), ("b", 4, 4, 1, 112), ("c", 30, 30, 1, 131))
    assert elapsed_seconds(side_by_side) == 31  # from 100 to 131; b ends within c
    assert describe_time(44, 31) == "31.0\u00a0s, with 1.42 jobs at a time on average"


@pytest.mark.parametrize(("gap", "counted"), [(PAUSE - 1, PAUSE - 1), (PAUSE + 1, 0)])
def test_time_between_two_runs_does_not_count(gap, counted):
    two_runs = jobs(("late", 5, 5, 1, 1000 + gap + 5), ("early", 10, 10, 1, 1000))
    assert elapsed_seconds(two_runs) == 15 + counted


def test_without_jobs_no_time_is_known():
    assert elapsed_seconds(jobs()) == 0
    assert describe_time(0, 0) == "not known"
    assert use_by_rule(jobs()).empty


def test_measurements_of_snakemake_are_read(tmp_path):
    """The second job was too short to be measured, the third one was done twice."""
    head = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
    told = {
        "train/higgs/maf": "12.5\t0:00:12\t812.3\t1\t1\t1\t1\t1\t95.0\t11.9\n",
        "plot": "0.3\t0:00:00\tNA\tNA\tNA\tNA\tNA\tNA\tNA\tNA\n",
        "scan": "1.0\t0:00:01\t10\t1\t1\t1\t1\t1\t9\t0.5\n3.0\t0:00:03\t20\t1\t1\t1\t1\t1\t9\t1.5\n",
    }
    for name, lines in told.items():
        io.write_text(tmp_path / f"{name}.tsv", head + lines)
    table = io.read_benchmarks(tmp_path).set_index("rule")
    assert table.loc["train"].tolist()[:4] == ["higgs/maf", 12.5, 11.9, 812.3]
    assert table.loc["plot", "seconds"] == 0.3
    assert table.loc["plot", ["cpu_seconds", "memory_mib"]].isna().all()
    assert table.loc["scan"].tolist()[1:4] == [2, 1, 15]
    assert table["finished"].tolist() == [
        (tmp_path / f"{name}.tsv").stat().st_mtime for name in sorted(told)[:2]
    ] + [(tmp_path / "train/higgs/maf.tsv").stat().st_mtime]
    assert io.read_benchmarks(tmp_path / "none").empty
