import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import bumpflow
from bumpflow import device
from bumpflow.device import choose_device, claim, gpus_needed, limit_threads

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")

HOLD = """
import sys, time
from pathlib import Path
from bumpflow.device import claim
print(claim([Path(path) for path in sys.argv[1:]]), flush=True)
time.sleep(60)
"""
COMPETE = """
import sys, time
from pathlib import Path
from bumpflow import device
device.POLL_SECONDS = 0.005
taken = device.claim([Path(path) for path in sys.argv[1:]])
mine = Path(sys.argv[1 + taken] + ".in_use")
mine.touch(exist_ok=False)  # fails where another process is on the same GPU
time.sleep(0.05)
mine.unlink()
print(taken)
"""


@pytest.fixture(autouse=True)
def afresh(monkeypatch, tmp_path):
    """Forget what this process chose and holds, and keep to locks of this test."""
    monkeypatch.setattr(device, "_held", {})
    monkeypatch.setattr(device, "POLL_SECONDS", 0.01)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    choose_device.cache_clear()
    yield
    choose_device.cache_clear()
    for file in device._held.values():
        file.close()


@pytest.fixture
def start():
    """Start processes that end with the test."""
    running = []

    def start(code, locks):
        command = [sys.executable, "-c", code, *map(str, locks)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def gpus(monkeypatch):
    """Make torch see GPUs that are not there; return their number, to be set, and the chosen."""
    found = SimpleNamespace(n=2, chosen=None)

    def name(index):
        return SimpleNamespace(uuid=f"gpu-{index}", name=f"Fake {index}")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: found.n > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: found.n)
    monkeypatch.setattr(torch.cuda, "get_device_properties", name)
    monkeypatch.setattr(torch.cuda, "set_device", lambda chosen: setattr(found, "chosen", chosen))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return found


def files(folder, n=2):
    return [folder / f"gpu-{index}.lock" for index in range(n)]


def read(process):
    return int(process.stdout.readline())


def test_cpu_is_the_cpu(caplog):
    with caplog.at_level(logging.INFO):
        assert choose_device("cpu").type == "cpu"
    assert caplog.messages == ["running on the CPU"]
    assert gpus_needed("cpu") == 0


@without_gpu
def test_auto_takes_the_cpu_without_cuda_and_says_so_once(caplog):
    with caplog.at_level(logging.INFO):
        assert choose_device("auto").type == "cpu"
        assert choose_device("auto").type == "cpu"
    assert caplog.messages == ["no CUDA device: running on the CPU"]


@without_gpu
def test_insisting_on_cuda_in_vain_is_reported():
    with pytest.raises(ValueError, match="no CUDA device: use 'auto' or 'cpu'"):
        choose_device("cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_auto_takes_cuda(caplog):
    with caplog.at_level(logging.INFO):
        found = choose_device("auto")
    assert found.type == "cuda"
    assert torch.zeros(1, device="cuda").device == found
    assert caplog.messages == [f"running on {found}, {torch.cuda.get_device_name(found)}"]


def test_a_free_gpu_is_taken_and_kept(start, gpus, caplog):
    other = start(HOLD, files(device.lock_folder()))
    assert read(other) == 0
    with caplog.at_level(logging.INFO):
        assert choose_device("auto") == torch.device("cuda:1")
    assert caplog.messages == ["running on cuda:1, Fake 1"]
    assert gpus.chosen == torch.device("cuda:1")
    other.kill()
    other.wait()
    assert choose_device("auto") == torch.device("cuda:1")


@pytest.mark.usefixtures("gpus")
def test_one_of_several_gpus_can_be_named(start):
    assert choose_device("cuda:1") == torch.device("cuda:1")
    assert read(start(HOLD, files(device.lock_folder()))) == 0
    with pytest.raises(ValueError, match="'cuda:2' is asked for, but the last one is 'cuda:1'"):
        choose_device("cuda:2")


def test_the_one_visible_gpu_is_shared(start, gpus, monkeypatch):
    gpus.n = 1
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.delattr("time.sleep")  # it does not wait
    assert read(start(HOLD, files(device.lock_folder(), 1))) == 0
    assert choose_device("auto") == torch.device("cuda:0")


def test_the_one_visible_gpu_is_kept_from_those_who_see_several(start, gpus, monkeypatch):
    gpus.n = 1
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert choose_device("auto") == torch.device("cuda:0")
    assert read(start(HOLD, files(device.lock_folder()))) == 1


@pytest.mark.usefixtures("gpus")
@pytest.mark.parametrize("visible", [None, "2,3"])
def test_all_gpus_taken_means_waiting(visible, start, monkeypatch, caplog):
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    locks = files(device.lock_folder())
    holders = [start(HOLD, locks[:1]), start(HOLD, locks[1:])]
    assert [read(holder) for holder in holders] == [0, 0]
    sleeps = []

    def end_the_second(_):
        sleeps.append(caplog.messages)
        if len(sleeps) == 3:
            holders[1].kill()
            holders[1].wait()

    monkeypatch.setattr("time.sleep", end_the_second)
    assert choose_device("cuda") == torch.device("cuda:1")
    assert len(sleeps) == 3
    pids = ", ".join(str(holder.pid) for holder in holders)
    assert caplog.messages == [f"waiting for a GPU: all are in use, by processes {pids}"]


def test_competing_processes_never_share_a_gpu(start, tmp_path):
    racing = [start(COMPETE, files(tmp_path)) for _ in range(6)]
    taken = [process.communicate(timeout=30)[0].strip() for process in racing]
    assert [process.returncode for process in racing] == [0] * 6
    assert set(taken) == {"0", "1"}


def test_a_killed_process_frees_its_own_gpu_only(start, tmp_path):
    locks = files(tmp_path, 3)
    holders = [start(HOLD, locks) for _ in range(3)]
    taken = {read(process): process for process in holders}
    assert set(taken) == {0, 1, 2}
    assert claim(locks, wait=False) is None
    os.kill(taken[1].pid, signal.SIGKILL)
    taken[1].wait()
    assert claim(locks, wait=False) == 1
    assert claim([locks[0], locks[2]], wait=False) is None
    assert locks[1].read_text() == str(os.getpid())


def test_what_this_process_holds_is_not_waited_for(tmp_path):
    assert [claim(files(tmp_path, 1)) for _ in range(2)] == [0, 0]


@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_cuda_asks_for_one_gpu(name):
    assert gpus_needed(name) == 1


def test_nothing_else_chooses_a_device():
    package = Path(bumpflow.__file__).parent
    scripts = list((Path(__file__).parents[2] / "scripts").glob("*.py"))
    choices = re.compile(r"cuda\.is_available|\.cuda\(|device\(\s*['\"]cuda|device=['\"]cuda")
    for path in [*package.rglob("*.py"), *scripts]:
        if path != Path(device.__file__):
            assert not choices.search(path.read_text(encoding="utf-8")), path
    takers = [path for path in scripts if "device: str" in path.read_text(encoding="utf-8")]
    assert len(takers) > 30
    for path in takers:
        assert "choose_device(device)" in path.read_text(encoding="utf-8"), path


def test_threads_are_limited():
    before = torch.get_num_threads()
    try:
        limit_threads(1)
        assert torch.get_num_threads() == 1
    finally:
        limit_threads(before)
