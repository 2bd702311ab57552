"""Build the one HTML page that shows a study."""

import base64
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd
from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup, escape

from bumpflow.report.labels import NOTES, Analysis, analysis_of
from bumpflow.report.numbers import format_seconds
from bumpflow.report.tables import Headline, headline_tables, run_times, score_rows
from bumpflow.summary import Quantity

PNG = b"\x89PNG\r\n\x1a\n"
ADDRESS = re.compile(r"https?://[^\s<>\"]*[^\s<>\".,;:)]")


class Figure(NamedTuple):
    """A figure on the page.

    Attributes:
        name: Path below the results folder, without the suffix.
        image: Content of its PNG file.
        caption: A title, an empty line, and paragraphs of plain sentences.
    """

    name: str
    image: bytes
    caption: str

    @property
    def title(self) -> str:
        """First paragraph of the caption."""
        return " ".join(self.caption.strip().split("\n\n")[0].split())

    @property
    def paragraphs(self) -> list[Markup]:
        """Other paragraphs of the caption, with addresses as links."""
        return [
            link_addresses(" ".join(p.split())) for p in self.caption.strip().split("\n\n")[1:]
        ]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height [pixel]."""
        return png_size(self.image)

    @property
    def source(self) -> str:
        """The image as a data address."""
        return f"data:image/png;base64,{base64.b64encode(self.image).decode()}"


@dataclass(frozen=True)
class Study:
    """Everything that the page shows.

    Attributes:
        name: Name of the study.
        figures: In the order in which they appear; the first part of their names is their
            analysis, the second its dataset.
        quantities: The scorecard.
        config: The merged configuration.
        config_text: The same as it is written in its file.
        resources: What the jobs of each rule took.
        versions: Version of each package.
        facts: Other facts about the run, such as its machine and commit.
        date: When the page was made.
    """

    name: str
    figures: Sequence[Figure]
    quantities: Sequence[Quantity]
    config: Mapping[str, Any]
    config_text: str
    resources: pd.DataFrame
    versions: Mapping[str, str]
    facts: Mapping[str, str] = field(default_factory=dict)
    date: str = ""


class Section(NamedTuple):
    """An analysis on the page."""

    name: str
    analysis: Analysis
    headlines: list[Headline]
    figures: list[tuple[int, Figure]]
    sources: list[str]


def render_page(study: Study, templates: Mapping[str, str]) -> str:
    """Return the page as HTML that loads nothing.

    Args:
        study: What to show.
        templates: The page's Jinja templates by file name; ``page.html.j2`` includes the others.
    """
    environment = Environment(
        loader=DictLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    rows = run_times(study.resources)
    return environment.get_template("page.html.j2").render(
        study=study,
        sections=list_sections(study),
        scores=score_rows(study.quantities),
        run_times=rows,
        total_time=format_seconds(sum(row.total.value or 0 for row in rows)),
        notes=NOTES,
        link=link_addresses,
    )


def list_sections(study: Study) -> list[Section]:
    """Return the page's analyses: those with figures in their order, then those without."""
    analyses = [figure.name.split("/")[0] for figure in study.figures]
    analyses += [quantity.quantity.split(".")[0] for quantity in study.quantities]
    numbered = list(enumerate(study.figures, 1))
    sections = []
    for name in dict.fromkeys(analyses):
        figures = [(n, f) for n, f in numbered if f.name.split("/")[0] == name]
        headlines = headline_tables(name, study.quantities)
        if figures or headlines:
            sources = _data_sources(figures, study.config)
            sections.append(Section(name, analysis_of(name), headlines, figures, sources))
    return sections


def _data_sources(figures: Sequence[tuple[int, Figure]], config: Mapping[str, Any]) -> list[str]:
    """Return whom to credit for the datasets that figures show."""
    names = dict.fromkeys(figure.name.split("/")[1] for _, figure in figures)
    datasets = config.get("datasets", {})
    return [datasets[name]["source"] for name in names if name in datasets]


def link_addresses(text: str) -> Markup:
    """Return text as HTML, with web addresses and DOIs in it as links."""
    parts, end = [], 0
    for match in ADDRESS.finditer(text):
        address = match.group()
        label = re.sub(r"^https?://(arxiv\.org/abs/)?", "", address)
        label = f"arXiv:{label}" if "arxiv.org/abs/" in address else label
        parts += [
            escape(text[end : match.start()]),
            Markup('<a href="{}">{}</a>').format(address, label),
        ]
        end = match.end()
    return Markup("").join([*parts, escape(text[end:])])


def png_size(image: bytes) -> tuple[int, int]:
    """Return width and height of a PNG image [pixel].

    Raises:
        ValueError: If the bytes are no PNG image.
    """
    if not image.startswith(PNG) or len(image) < 24:
        msg = "figures of the report must be PNG images, but one does not start like one"
        raise ValueError(msg)
    width, height = struct.unpack(">II", image[16:24])
    return width, height
