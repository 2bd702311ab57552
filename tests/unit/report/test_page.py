import base64
import io as memory
import re
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from bumpflow import io
from bumpflow.report.page import (
    Figure,
    Study,
    link_addresses,
    list_sections,
    png_size,
    render_page,
)
from bumpflow.report.provenance import find_commit, list_versions
from bumpflow.summary import Quantity

PARTS = (Path(__file__).parents[3] / "src" / "bumpflow" / "report").glob("*.j2")
TEMPLATES = {path.name: io.read_text(path) for path in PARTS}
RESOURCES = pd.DataFrame(
    {
        "rule": ["train"],
        "jobs": [1],
        "seconds": [3.0],
        "cpu_seconds": [2.0],
        "longest_seconds": [3.0],
        "peak_memory_mib": [10.0],
    }
)
LOADS = re.compile(r"""(?:src|srcset|poster|data)\s*=|<link[^>]*href|url\(|@import""")


def png(width=30, height=20):
    buffer = memory.BytesIO()
    matplotlib.image.imsave(buffer, np.zeros((height, width)), format="png")
    return buffer.getvalue()


@pytest.fixture
def study():
    caption = (
        "A title\n\nWhat it shows, in <b>sentences</b>: see https://arxiv.org/abs/2310.08994."
    )
    return Study(
        name="toy",
        figures=[
            Figure("surrogates/higgs/figures/one", png(), caption),
            Figure("surrogates/higgs/figures/two", png(40), "Other title"),
            Figure("later/higgs/figures/three", png(50), "Third title"),
        ],
        quantities=[
            Quantity("surrogates.maf.c2st_auc", 0.55, 0.01, None, "a <source> & more", 10),
            Quantity("ingest.rate_ratio", 2.0),
        ],
        config={"datasets": {"higgs": {"source": "UCI <HIGGS>"}}},
        config_text="seed: 1 # <script>alert(1)</script>\n",
        resources=RESOURCES,
        versions={"Python": "3.11"},
        facts={"Seed": "1"},
        date="today",
    )


def test_every_figure_is_embedded_with_size_and_caption(study):
    html = render_page(study, TEMPLATES)
    images = re.findall(
        r'<img src="data:image/png;base64,([^"]+)" width="(\d+)" height="(\d+)"', html
    )
    assert [base64.b64decode(data) for data, *_ in images] == [f.image for f in study.figures]
    assert [(int(w), int(h)) for _, w, h in images] == [(30, 20), (40, 20), (50, 20)]
    assert all(f"Figure {n}. {f.title}." in html for n, f in enumerate(study.figures, 1))


def test_page_loads_nothing(study):
    html = render_page(study, TEMPLATES)
    bare = re.sub(r"data:[^\"')]*", "data:", html)
    for match in LOADS.finditer(bare):
        target = bare[match.start() : match.end() + 12]
        assert "data:" in target, target
    assert "<script src" not in html


def test_text_from_outside_is_escaped(study):
    html = render_page(study, TEMPLATES)
    assert "<script>alert" not in html
    assert "<b>sentences" not in html
    assert "UCI &lt;HIGGS&gt;" in html
    assert "a &lt;source&gt; &amp; more" in html


def test_sections_follow_figures_then_numbers(study):
    sections = list_sections(study)
    assert [section.name for section in sections] == ["surrogates", "later"]
    assert [n for n, _ in sections[1].figures] == [3]
    assert sections[0].sources == ["UCI <HIGGS>"]


def test_page_needs_no_figures_and_no_numbers():
    bare = Study("bare", [], [], {}, "", RESOURCES[:0], {})
    html = render_page(bare, TEMPLATES)
    assert "Scorecard" not in html
    assert "Run times" not in html


def test_addresses_become_links():
    text = link_addresses("see https://arxiv.org/abs/2310.08994, and <this>.")
    assert str(text) == (
        'see <a href="https://arxiv.org/abs/2310.08994">arXiv:2310.08994</a>, and &lt;this&gt;.'
    )


def test_other_bytes_are_no_image():
    with pytest.raises(ValueError, match="PNG"):
        png_size(b"GIF89a" + bytes(30))


def test_provenance_works_without_git(tmp_path, monkeypatch):
    assert find_commit(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_commit(Path(__file__).parent) is None
    assert list_versions(("torch", "no-such-package"))["no-such-package"] == "not installed"


def test_captions_have_a_title_and_sentences():
    for path in (Path(__file__).parents[3] / "rules" / "captions").glob("*.rst"):
        figure = Figure("x", png(), io.read_text(path))
        assert 0 < len(figure.title) <= 60, path
        assert not figure.title.endswith("."), path
        assert figure.paragraphs[0].endswith("."), path
