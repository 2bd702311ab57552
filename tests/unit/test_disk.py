import errno
import re

import pytest
from safetensors import SafetensorError

from bumpflow.disk import DiskFull, is_full, remove_parts, room_for


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (SafetensorError("I/O error: No space left on device (os error 28)"), True),
        (OSError(errno.EACCES, "Permission denied"), False),
        (OSError(errno.EIO, "No space left on device"), False),  # its number counts
        (ValueError("no bump here"), False),
    ],
)
def test_full_disks_are_told_from_other_errors(error, full):
    assert is_full(error) is full


def test_full_disk_names_file_and_cure(tmp_path):
    path = tmp_path / "none/yet/table.parquet"
    told = rf"{re.escape(str(path))}: .* MB are left of {re.escape(str(tmp_path))}\): free some"
    with pytest.raises(DiskFull, match=told) as raised, room_for(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert raised.value.errno == errno.ENOSPC


def test_other_errors_pass_and_so_does_a_full_disk_of_another_file(tmp_path):
    with pytest.raises(KeyError), room_for(tmp_path / "a"):
        raise KeyError
    inner = DiskFull(errno.ENOSPC, "another file")
    with pytest.raises(DiskFull) as raised, room_for(tmp_path / "a"):
        raise inner
    assert raised.value is inner


def test_parts_of_one_file_are_removed_and_nothing_else(tmp_path):
    parts = [".fit.12.part.json", ".fit.3.whole.json", "..fit.7.whole.7.part.json"]
    others = [
        "fit.json",
        ".fit.12.part.yaml",
        ".fits.12.part.json",
        ".fit.x.part.json",
        "a.12.part",
    ]
    for name in [*parts, *others]:
        (tmp_path / name).touch()
    remove_parts(tmp_path / "fit.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)
    remove_parts(tmp_path / "missing" / "fit.json")
