"""The report in headless Chromium: no error, no broken image, no request to anywhere."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from bumpflow import io
from bumpflow.summary import Quantity, as_records
from scripts import merge_scorecard, plot_scan, summarise_benchmarks, write_config, write_report

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OFFLINE = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
NAMES = ("scan", "overlays", "roc")

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on the path: install the Debian package `chromium`"
)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A report that the rules' own scripts make of a small study."""
    results = tmp_path_factory.mktemp("study") / "results"
    _write_inputs(results)
    write_config.main(
        merged=results / "config.yaml",
        config={
            "study": "toy",
            "seed": 1,
            "device": "cpu",
            "datasets": {"higgs": {"source": "UCI HIGGS"}},
        },
    )
    merge_scorecard.main(
        summaries=[results / "surrogates" / "summary.json"],
        bench=[],
        scorecard=results / "scorecard.parquet",
    )
    summarise_benchmarks.main(
        made=[results / "scorecard.parquet"],
        resources=results / "resources.parquet",
        benchmarks=str(results / "benchmarks"),
    )
    write_report.main(
        figures=[results / "surrogates" / "higgs" / "figures" / f"{name}.png" for name in NAMES],
        captions=[ROOT / "rules" / "captions" / f"{name}.rst" for name in NAMES],
        records=[results / "training.json"],
        scorecard=results / "scorecard.parquet",
        resources=results / "resources.parquet",
        config=results / "config.yaml",
        page=sorted((ROOT / "src" / "bumpflow" / "report").glob("page.*.j2")),
        report=results / "report.html",
    )
    return results / "report.html"


def _write_inputs(results):
    quantities = [
        Quantity(f"surrogates.{model}.c2st_auc", 0.5 + value, 0.01, 0.5, "a paper", 3000)
        for model, value in (("maf", 0.06), ("mademog", 0.03), ("control", 0.001))
    ]
    io.write_json(results / "surrogates" / "summary.json", as_records(quantities))
    io.write_json(
        results / "training.json", {"device": "cpu", "member_validation_nll": [5.0, 5.1]}
    )
    io.write_text(
        results / "benchmarks" / "train" / "a.tsv", "s\th:m:s\tmax_rss\n3.5\t0:00:03\t90\n"
    )
    io.write_text(results / "benchmarks" / "quick.tsv", "s\th:m:s\tmax_rss\n0.1\t0:00:00\t-\n")
    for name in NAMES:
        stem = results / "surrogates" / "higgs" / "figures" / name
        plot_scan.main(
            records=[results / "training.json"] * 2,
            style=ROOT / "config" / "matplotlibrc",
            scan=[stem.with_suffix(".png")],
            values=list(np.arange(2.0)),
            model="rqs",
            parameter=name,
        )


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=list(OFFLINE))
        yield opened
        opened.close()


@pytest.fixture
def visit(browser):
    """Open a page and return it with its errors and its requests that leave the machine."""

    def open_page(path, width=1400, **options):
        page = browser.new_page(viewport={"width": width, "height": 900}, **options)
        faults = []
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
        page.on("request", lambda r: None if _stays(r.url) else faults.append(f"request: {r.url}"))
        page.on("requestfailed", lambda r: faults.append(f"failed: {r.url[:80]}"))
        page.goto(Path(path).as_uri())
        page.wait_for_load_state("load")
        return page, faults

    return open_page


def _stays(url):
    return url.startswith(("file:", "data:", "blob:"))


def _broken_images(page):
    return page.evaluate(
        "[...document.images].filter(i => !i.complete || i.naturalWidth === 0).map(i => i.alt)"
    )


@pytest.mark.parametrize("width", [1400, 400])
def test_report_is_whole_at_any_width(report, visit, tmp_path, width):
    page, faults = visit(report, width=width)
    assert page.locator("figure img").count() == len(NAMES)
    assert _broken_images(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=tmp_path / "report.png")
    assert faults == []


def test_tables_sort_by_a_click(report, visit):
    page, faults = visit(report)
    table = page.locator("table.scorecard")
    head, first = table.get_by_role("button", name="This study"), table.locator("tbody th").first
    assert first.inner_text() == "surrogates.maf.c2st_auc"
    head.click()
    assert first.inner_text() == "surrogates.control.c2st_auc"
    head.click()
    assert first.inner_text() == "surrogates.maf.c2st_auc"
    assert faults == []


def test_report_is_complete_without_javascript(report, visit):
    page, faults = visit(report, java_script_enabled=False)
    text = page.inner_text("main")
    assert all(word in text for word in ("Surrogates", "MADEMOG", "Scorecard", "Run times"))
    assert page.locator("figure img").count() == len(NAMES)
    assert faults == []


def test_faults_are_noticed(visit, tmp_path):
    """The checks above can fail."""
    bad = tmp_path / "bad.html"
    bad.write_text(
        '<img src="nowhere.png" alt="lost"><script>undefinedName()</script>'
        '<img src="http://127.0.0.1:9/x.png" alt="away">'
    )
    page, faults = visit(bad)
    assert _broken_images(page) == ["lost", "away"]
    assert any("undefinedName" in fault for fault in faults)
    assert any("request: http://127.0.0.1:9" in fault for fault in faults)
