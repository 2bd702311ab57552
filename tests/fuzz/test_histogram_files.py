"""Readers of histograms take damaged, misspelt and odd files, or refuse them in words."""

import pytest

from tests.fuzz.cases import check_damaged, check_misspelt, check_odd, check_whole
from tests.fuzz.histogram_files import CASES

TEXTS = {name: case for name, case in CASES.items() if case.separator}
TABLES = {name: case for name, case in TEXTS.items() if case.header}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_whole_files_are_read(case, tmp_path):
    check_whole(case, tmp_path)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_damaged_files(case, tmp_path):
    check_damaged(case, tmp_path)


@pytest.mark.parametrize("case", TEXTS.values(), ids=TEXTS)
def test_misspelt_text(case, tmp_path):
    check_misspelt(case, tmp_path)


@pytest.mark.parametrize("case", TABLES.values(), ids=TABLES)
def test_odd_tables(case, tmp_path):
    check_odd(case, tmp_path)
