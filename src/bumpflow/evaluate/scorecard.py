"""What the scorecard says about surrogates."""

from collections.abc import Mapping
from typing import Any

from bumpflow.evaluate.divergences import MEASURES
from bumpflow.summary import Quantity

CONTROL = "control"
PAPER = "arXiv:2310.08994"
SAME = "two samples of one distribution"
WITNESS_SUFFIX = {"resmlp": "", "trees": "_trees"}


def c2st_quantities(subject: str, record: Mapping[str, Any]) -> list[Quantity]:
    """Return AUC, its p-value and accuracy of both classifiers.

    Args:
        subject: Name of the model, or ``control``.
        record: Content of its ``c2st.json``.
    """
    source = f"{PAPER}, section 4.3 and figure 14: just above 0.5, no number"
    expected: dict[str, Any] = {"reference_source": source}
    if subject == CONTROL:
        expected = {"reference": 0.5, "reference_source": SAME}
    n = sum(record["n_test"])
    quantities = []
    for witness, suffix in WITNESS_SUFFIX.items():
        said = record[witness]
        for measure in ("auc", "accuracy"):
            quantities.append(
                Quantity(
                    f"surrogates.{subject}.c2st_{measure}{suffix}",
                    said[measure],
                    said[f"{measure}_uncertainty"],
                    n=n,
                    **expected,
                )
            )
        quantities.append(Quantity(f"surrogates.{subject}.c2st_p{suffix}", said["p_value"], n=n))
    return quantities


def divergence_quantities(subject: str, record: Mapping[str, Any]) -> list[Quantity]:
    """Return each divergence, averaged over features, over its Monte Carlo baseline.

    Args:
        subject: Name of the model, or ``control``.
        record: Content of its ``divergences.json``.
    """
    source = f"{PAPER}, figure 11: close to the baseline, no number"
    expected: dict[str, Any] = {"reference_source": source}
    if subject == CONTROL:
        expected = {"reference": 1.0, "reference_source": SAME}
    return [
        Quantity(
            f"surrogates.{subject}.{measure}",
            record["relative"][measure]["value"],
            record["relative"][measure]["uncertainty"],
            n=record["n"],
            **expected,
        )
        for measure in MEASURES
    ]


def cost_quantities(
    model: str, *, training: Mapping[str, Any], sampling: Mapping[str, Any]
) -> list[Quantity]:
    """Return how well a model fits unseen events, and what it costs to train and to sample.

    Args:
        model: Name of the model.
        training: Content of its ``training.json``.
        sampling: Content of its ``sampling.json``.
    """
    subject, n_train = f"surrogates.{model}", training["n_train"]
    table = f"{PAPER}, table 1: times per event on a GPU, no number in its text"
    return [
        Quantity(f"{subject}.test_nll", training["test_nll"], unit="nat/event"),
        Quantity(f"{subject}.training_seconds", training["seconds"], n=n_train, unit="s"),
        Quantity(f"{subject}.parameters", training["n_parameters"], n=n_train),
        Quantity(
            f"{subject}.sampling_rate",
            sampling["events_per_second"],
            reference_source=table,
            n=sampling["n"],
            unit="events/s",
        ),
    ]
