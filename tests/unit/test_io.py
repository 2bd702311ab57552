import json

import matplotlib as mpl
import numpy as np
import pytest
import torch

from bumpflow import io

mpl.use("agg")


def test_failure_leaves_nothing_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "deep" / "result.txt"
    io.write_text(path, "old")

    def break_off():
        with io.atomic(path) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert io.read_text(path) == "old"
    assert [p.name for p in path.parent.iterdir()] == ["result.txt"]


def test_json_takes_numpy_and_refuses_nan(tmp_path):
    path = tmp_path / "record.json"
    io.write_json(path, {"n": np.int64(3), "values": np.array([0.5, 1.0])})
    assert json.loads(path.read_text()) == {"n": 3, "values": [0.5, 1.0]}
    with pytest.raises(ValueError, match="JSON compliant"):
        io.write_json(path, {"z": float("nan")})
    assert json.loads(path.read_text())["n"] == 3
    with pytest.raises(TypeError, match="cannot write a object as JSON"):
        io.write_json(path, {"z": object()})


def test_tensors_come_back_with_their_settings(tmp_path):
    path = tmp_path / "model.safetensors"
    tensors = {"a": torch.randn(3, 2).T, "b": torch.tensor(2, dtype=torch.int64)}
    io.write_tensors(path, tensors, settings={"family": "maf", "sizes": {"transforms": 2}})
    again, settings = io.read_tensors(path)
    assert settings == {"family": "maf", "sizes": {"transforms": 2}}
    for name, tensor in tensors.items():
        assert torch.equal(again[name], tensor)


def test_figures_are_reproducible(tmp_path):
    import matplotlib.pyplot as plt

    def draw(path):
        figure, axes = plt.subplots(figsize=(1, 1))
        axes.plot([0, 1])
        io.save_figure(figure, path.with_suffix(".png"), path.with_suffix(".pdf"))

    draw(tmp_path / "first")
    draw(tmp_path / "second")
    for suffix in (".png", ".pdf"):
        first, second = ((tmp_path / name).with_suffix(suffix) for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


def test_yaml_keeps_the_order(tmp_path):
    path = tmp_path / "config.yaml"
    io.write_yaml(path, {"b": 1, "a": [1, 2]})
    assert path.read_text() == "b: 1\na:\n- 1\n- 2\n"
    assert io.read_yaml(path) == {"b": 1, "a": [1, 2]}


def test_removing_what_is_not_there_is_fine(tmp_path):
    io.remove_folder(tmp_path / "none")
    (tmp_path / "some" / "deep").mkdir(parents=True)
    io.remove_folder(tmp_path / "some")
    assert not (tmp_path / "some").exists()
