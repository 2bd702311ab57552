import logging

import numpy as np
import pytest
import torch

from bumpflow.memory import MemoryTooSmall, halved, in_chunks, is_out_of_memory, map_chunks

TOO_LARGE = 1 << 50
NO_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3.00 GiB."),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
]


def squares_of_at_most(n, error=NO_MEMORY[0]):
    """Return a function of events that has memory for ``n``, and the sizes it was called with."""
    sizes = []

    def function(x):
        sizes.append(len(x))
        if len(x) > n:
            raise error
        return x**2

    return function, sizes


@pytest.mark.parametrize("error", NO_MEMORY, ids=lambda error: type(error).__name__)
def test_chunks_are_halved_until_they_fit(error, caplog):
    function, sizes = squares_of_at_most(5, error)
    x = torch.arange(30.0)
    assert torch.equal(map_chunks(function, x, 16), x**2)
    assert sizes == [16, 8, 4, 4, 4, 4, 4, 4, 4, 2]
    assert caplog.messages == [
        "out of memory with 16 rows at a time: going on with 8",
        "out of memory with 8 rows at a time: going on with 4",
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_memory_that_runs_out_later_costs_no_rows():
    x = torch.arange(20.0)
    left = iter([True, False, True, False] + 20 * [True])

    def function(rows):
        if not next(left):
            raise MemoryError
        return x[rows]

    parts = list(in_chunks(function, len(x), 8))
    assert [len(part) for part in parts] == [8, 4, 2, 2, 2, 2]
    assert torch.equal(torch.cat(parts), x)


def test_what_does_not_fit_by_one_is_reported():
    function, _ = squares_of_at_most(0)
    with pytest.raises(MemoryTooSmall, match="one event, histogram or toy at a time") as failure:
        map_chunks(function, torch.zeros(3), 2)
    assert failure.value.__cause__ is NO_MEMORY[0]


def test_other_errors_are_passed_on():
    function, sizes = squares_of_at_most(1, RuntimeError("expected all tensors to be alike"))
    with pytest.raises(RuntimeError, match="to be alike"):
        map_chunks(function, torch.zeros(4), 4)
    assert sizes == [4]


@pytest.mark.parametrize("n", [0, 1, 4, 5, 11])
def test_chunks_are_those_of_split(n):
    x = torch.arange(n)
    found = list(in_chunks(lambda rows: x[rows], n, 4))
    assert [part.tolist() for part in found] == [part.tolist() for part in x.split(4)]
    assert torch.equal(map_chunks(lambda part: part[:, None] * 2, x, 4)[:, 0], 2 * x)


@pytest.mark.parametrize(
    "allocate",
    [lambda: torch.empty(TOO_LARGE), lambda: np.empty(TOO_LARGE)],
    ids=["torch", "numpy"],
)
def test_allocators_are_understood(allocate):
    with pytest.raises((RuntimeError, MemoryError)) as failure:
        allocate()
    assert is_out_of_memory(failure.value)
    assert halved(9, failure.value) == 4


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_allocator_of_cuda_is_understood():
    n_bytes = torch.cuda.mem_get_info()[1]

    def function(rows):
        return torch.empty(rows.stop - rows.start, n_bytes // 4, dtype=torch.uint8, device="cuda")

    sizes = [len(part) for part in in_chunks(function, 8, 8)]
    assert sum(sizes) == 8
    assert max(sizes) < 8
