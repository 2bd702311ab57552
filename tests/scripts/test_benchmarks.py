import pytest

from bumpflow import io
from scripts import summarise_benchmarks

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def test_what_jobs_took_is_added_up(tmp_path):
    for job, seconds in {"one": 2, "two": 4}.items():
        row = (
            f"{seconds}.0\t0:00:0{seconds}\t{100 * seconds}\t1\t1\t1\t1\t1\t90\t{seconds - 1}.0\n"
        )
        io.write_text(tmp_path / f"benchmarks/train/higgs/{job}.tsv", HEAD + row)
    summarise_benchmarks.main(
        made=[tmp_path / "figure.png"],
        resources=tmp_path / "resources.parquet",
        benchmarks=str(tmp_path / "benchmarks"),
    )
    (row,) = io.read_table(tmp_path / "resources.parquet").to_dict("records")
    assert row == {
        "rule": "train",
        "jobs": 2,
        "seconds": 6,
        "cpu_seconds": 4,
        "longest_seconds": 4,
        "peak_memory_mib": 400,
    }
    told = io.read_table_metadata(tmp_path / "resources.parquet")
    assert float(told["elapsed_seconds"]) == pytest.approx(4, abs=1)  # both ended just now
