"""A full disk, or a kill in the middle of writing, never leaves half a file."""

import inspect
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from bumpflow import io, train
from bumpflow.disk import DiskFull, remove_parts
from tests.workflow.helpers import ROOT, snakemake

mpl.use("agg")

DISK = "64k"
LARGE, SMALL = 100_000, 100
STUDY = """
study: full
device: cpu
hunters:
  small: {training: {max_epochs: 2, epoch_size: 512, validation_size: 256, library_size: 2000}}
"""
RULES = {
    "write_config": "config.yaml",
    "ingest_events": "events/higgs/ingested.parquet",
    "train_hunter": "ddp/small/network.safetensors",
}


def write_by_pieces(path, x):
    with io.TableWriter(path) as writer:
        for piece in np.array_split(x, 4):
            writer.write(pd.DataFrame({"x": piece}))


def draw(path, x):
    import matplotlib.pyplot as plt

    figure, (image, points) = plt.subplots(2, figsize=(6, 9))
    side = int(np.sqrt(len(x)))
    image.imshow(x[: side**2].reshape(side, side), interpolation="none")
    points.plot(x, ".")
    io.save_figure(figure, path)


def train_with_checkpoint(path, x):
    """Train a network of ``len(x)`` weights, with a checkpoint after its one epoch."""
    torch.manual_seed(1)
    events = [torch.zeros(8, len(x))]
    network = nn.Linear(len(x), 1)
    train.fit(
        network,
        lambda model, batch: model(batch)[:, 0] ** 2,
        train=events,
        validation=events,
        settings=train.TrainSettings(1e-3, batch_size=8, max_epochs=1, patience=1),
        seed=1,
        device=torch.device("cpu"),
        checkpoint=path.with_name("checkpoint.safetensors"),
    )
    io.write_tensors(path, network.state_dict(), settings={})


WRITERS = {
    "write_json": (io.write_json, "record.json"),
    "write_yaml": (lambda path, x: io.write_yaml(path, x[:10_000].tolist()), "config.yaml"),
    "write_text": (lambda path, x: io.write_text(path, str(x.tolist())), "report.html"),
    "write_gzip": (lambda path, x: io.write_gzip(path, map(str, x)), "events.lhe.gz"),
    "write_table": (lambda path, x: io.write_table(path, pd.DataFrame({"x": x})), "a.parquet"),
    "TableWriter": (write_by_pieces, "pieces.parquet"),
    "write_tensors": (
        lambda path, x: io.write_tensors(path, {"x": torch.from_numpy(x)}, settings={}),
        "model.safetensors",
    ),
    "save_figure": (draw, "figure.png"),
    "save_figure as PDF": (draw, "figure.pdf"),
    "training": (train_with_checkpoint, "trained.safetensors"),
}


def mount(folder, size, *options):
    """Put a disk of some size at a folder."""
    command = ["mount", "-t", "tmpfs", "-o", ",".join([f"size={size}", *options]), "tmpfs", folder]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def disk(tmp_path):
    """A folder on a small disk of its own."""
    folder = tmp_path / "results"
    folder.mkdir()
    if (answer := mount(folder, DISK)).returncode:
        pytest.skip(f"only root can mount a small disk: {answer.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_every_writer_meets_a_full_disk():
    names = [name for name, _ in inspect.getmembers(io, inspect.isfunction)]
    writers = {name for name in names if name.startswith(("write_", "save_"))}
    assert writers | {"TableWriter"} <= set(WRITERS)


@pytest.mark.parametrize("writer", WRITERS)
def test_full_disk_leaves_the_old_file_and_says_so(writer, disk, monkeypatch):
    monkeypatch.setattr(train, "CHECKPOINT_SECONDS", -1.0)
    write, name = WRITERS[writer]
    path = disk / name
    x = np.random.default_rng(3).normal(size=LARGE)
    write(path, x[:SMALL])
    old = path.read_bytes()

    with pytest.raises(DiskFull, match=r"does not fit on its disk.*of 0\.1 MB.*free some space"):
        write(path, x)
    assert path.read_bytes() == old
    assert [left.name for left in disk.iterdir()] == [name]

    assert mount(disk, "20m", "remount").returncode == 0
    write(path, x)
    again = disk / "again" / name
    write(again, x)
    assert len(path.read_bytes()) > len(old)
    assert path.read_bytes() == again.read_bytes()


KILLED = """
import sys
from pathlib import Path

import pandas as pd

from bumpflow import io

def wait():
    print("writing", flush=True)
    sys.stdin.read()

def lines():
    yield from map(str, range(100_000))
    wait()
    yield "end"

def table(path):
    with io.TableWriter(path) as writer:
        writer.write(pd.DataFrame({"x": range(300_000)}))
        wait()

kind, path = sys.argv[1:]
{"table": table, "lines": lambda path: io.write_gzip(path, lines())}[kind](Path(path))
"""


@pytest.mark.parametrize("kind", ["table", "lines"])
def test_kill_while_writing_leaves_the_old_file(kind, tmp_path):
    path = tmp_path / "events.out"
    path.write_text("old")
    command = [sys.executable, "-c", KILLED, kind, path]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "writing\n"
        process.kill()
    (part,) = set(tmp_path.iterdir()) - {path}
    assert part.stat().st_size > 0
    assert path.read_text() == "old"
    remove_parts(path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_rules_on_a_full_disk_fail_clearly_and_go_on_once_there_is_room(tmp_path, disk):
    overlay = tmp_path / "full.yaml"
    overlay.write_text(STUDY)
    targets = [f"results/full/{path}" for path in RULES.values()]
    run = partial(snakemake, tmp_path, *targets, "--configfile", overlay, "--cores", "1")

    assert mount(disk, "32k", "remount").returncode == 0
    failed = run("--keep-going", check=False)
    assert failed.returncode != 0
    for path in map(Path, targets):
        name = rf"{path.parent}/\.?{path.stem}[^/ ]*{path.suffix}"
        assert re.search(rf"DiskFull: \[Errno 28\] {name}: it does not fit", failed.stderr), path
        assert not (tmp_path / path).exists()
    assert list(disk.rglob(".*")) == []

    assert mount(disk, "200m", "remount").returncode == 0
    run()
    assert all((tmp_path / path).stat().st_size for path in targets)
    assert list(disk.rglob(".*")) == []
