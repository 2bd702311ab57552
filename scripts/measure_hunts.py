"""Rule measure_hunts: find what hunts reach from their statistics in toys."""

from pathlib import Path

from bumpflow import io
from bumpflow.compatibility import performance
from bumpflow.compatibility.hunting import EPO
from bumpflow.workflow import run_rule


def main(
    *,
    background: Path,
    signals: list[Path],
    points: Path,
    maps: Path,
    thresholds: Path,
    purities: Path,
    errors: Path,
    distributions: Path,
    networks: list[str],
    rates: list[tuple[float, float]],
    grid: dict[str, list[float]],
    threshold: float,
    tried: list[float],
    bins: dict[str, int],
    levels: list[float],
    n_events: int,
) -> None:
    """Write tables of sensitivities at ``rates`` and on a ``grid``, and of choices and errors."""
    tables = {path.stem: io.read_table(path) for path in signals}
    trials = performance.Trials(io.read_table(background), tables)
    cleaning = [*networks, EPO]
    hunts = performance.compared_hunts(cleaning, threshold, bins)
    some = performance.without_maximum(hunts)
    io.write_table(points, performance.point_table(trials, hunts, rates))
    io.write_table(maps, performance.map_table(trials, some, **grid))
    io.write_table(thresholds, performance.threshold_table(trials, cleaning, tried, rates))
    found = performance.purity_table(trials, cleaning, tried, n_events=n_events)
    io.write_table(purities, found)
    rates_b = sorted({mu_b for mu_b, _ in rates})
    each = [hunt for hunts_of in hunts.values() for hunt in hunts_of]
    found = performance.error_table(trials, list(dict.fromkeys(each)), mu_b=rates_b, levels=levels)
    io.write_table(errors, found)
    io.write_table(distributions, performance.distribution_table(trials, some, rates))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
