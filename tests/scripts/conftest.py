"""What tests of scripts that draw have in common."""

import numpy as np
import pytest

from bumpflow import io


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def store(tmp_path):
    """Return a function that writes a table or record and returns its path."""

    def write(name, content):
        path = tmp_path / f"{name}.{'json' if isinstance(content, dict) else 'parquet'}"
        (io.write_json if isinstance(content, dict) else io.write_table)(path, content)
        return path

    return write


@pytest.fixture
def saved(monkeypatch):
    """Collect figures by path instead of writing them: to arrange their panels takes long."""
    found = {}
    monkeypatch.setattr(
        io, "save_figure", lambda figure, *paths: found.update(dict.fromkeys(paths, figure))
    )
    return found
