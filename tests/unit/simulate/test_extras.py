import subprocess
import sys

import pytest

from bumpflow.simulate.extras import MissingExtra, optional

WITHOUT = """
import sys

for name in ("pythia8mc", "fastjet", "vegas"):
    sys.modules[name] = None  # importing it fails, as if it were not installed
import bumpflow.simulate.hard.build
import bumpflow.simulate.convert
from bumpflow.simulate.samples import Sample
from bumpflow.simulate.pythia import make_pythia

try:
    make_pythia([])
except ImportError as error:
    print(error)
"""


def test_missing_package_is_named_with_its_cure():
    wanted = r"without nosuchmodule: .*bumpflow\[generate\]"
    with pytest.raises(MissingExtra, match=wanted), optional():
        import nosuchmodule  # noqa: F401


def test_library_imports_without_the_extra_and_says_what_is_missing():
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True
    )
    assert "cannot be generated without pythia8mc" in run.stdout
    assert "bumpflow[generate]" in run.stdout
