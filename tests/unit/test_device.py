import pytest
import torch

from bumpflow.device import choose_device, gpus_needed, limit_threads

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


def test_cpu_is_the_cpu():
    assert choose_device("cpu").type == "cpu"
    assert gpus_needed("cpu") == 0


@without_gpu
def test_auto_takes_the_cpu_without_cuda():
    assert choose_device("auto").type == "cpu"


@without_gpu
def test_insisting_on_cuda_in_vain_is_reported():
    with pytest.raises(ValueError, match="no CUDA device: use 'auto' or 'cpu'"):
        choose_device("cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_auto_takes_cuda():
    assert choose_device("auto").type == "cuda"


@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_cuda_asks_for_one_gpu(name):
    assert gpus_needed(name) == 1


def test_threads_are_limited():
    before = torch.get_num_threads()
    try:
        limit_threads(1)
        assert torch.get_num_threads() == 1
    finally:
        limit_threads(before)
