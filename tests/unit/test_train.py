import pytest
import torch
from torch import nn

from bumpflow import train
from bumpflow.memory import MemoryTooSmall
from bumpflow.train import TrainingDiverged, TrainSettings, fit, learning_rate_factor

CPU = torch.device("cpu")
SETTINGS = TrainSettings(
    learning_rate=1e-2, batch_size=64, max_epochs=8, patience=8, epoch_decay=0.9
)


class Killed(Exception):
    pass


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 1))


def events(n=600):
    x = torch.randn(n, 3, generator=torch.Generator().manual_seed(1))
    return x, x.sum(1) ** 2


def squared_error(model, x, y):
    return (model(x)[:, 0] - y) ** 2


def run(*, loss=squared_error, settings=SETTINGS, seed=3, model=None, **files):
    x, y = events()
    model = model or network()
    history = fit(
        model,
        loss,
        train=(x[:500], y[:500]),
        validation=(x[500:], y[500:]),
        settings=settings,
        seed=seed,
        device=CPU,
        **files,
    )
    return model, history


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def killing_after(calls):
    left = [calls]

    def loss(model, x, y):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return squared_error(model, x, y)

    return loss


def test_training_learns_and_records_every_epoch():
    _, history = run()
    assert list(history["epoch"]) == list(range(8))
    assert history["validation_loss"].iloc[-1] < 0.8 * history["validation_loss"].iloc[0]


def test_best_weights_are_restored():
    settings = TrainSettings(learning_rate=0.5, batch_size=64, max_epochs=12, patience=12)
    model, history = run(settings=settings)
    x, y = events()
    last = train.evaluate(model, squared_error, (x[500:], y[500:]), device=CPU)
    assert last == pytest.approx(history["validation_loss"].min(), rel=1e-5)
    assert history["validation_loss"].idxmin() < len(history) - 1


def test_stops_when_patience_is_over():
    settings = TrainSettings(learning_rate=0.5, batch_size=64, max_epochs=200, patience=3)
    _, history = run(settings=settings)
    assert len(history) == history["validation_loss"].idxmin() + 4


@pytest.mark.parametrize("calls", [5, 30, 50])
def test_killed_training_resumes_to_the_same_weights(tmp_path, monkeypatch, calls):
    monkeypatch.setattr(train, "CHECKPOINT_SECONDS", 0.0)
    whole, history = run()
    checkpoint = tmp_path / "part.safetensors"
    with pytest.raises(Killed):
        run(loss=killing_after(calls), checkpoint=checkpoint)
    resumed, again = run(checkpoint=checkpoint)
    assert torch.equal(weights(resumed), weights(whole))
    assert again["train_loss"].tolist() == history["train_loss"].tolist()
    assert not checkpoint.exists()


def test_checkpoint_of_another_training_is_not_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "CHECKPOINT_SECONDS", 0.0)
    checkpoint = tmp_path / "part.safetensors"
    with pytest.raises(Killed):
        run(loss=killing_after(40), checkpoint=checkpoint)
    other, _ = run(seed=4, checkpoint=checkpoint)
    expected, _ = run(seed=4)
    assert torch.equal(weights(other), weights(expected))


def test_finished_training_is_not_repeated(tmp_path):
    finished = tmp_path / "done.safetensors"
    first, _ = run(finished=finished)
    second, history = run(finished=finished, loss=killing_after(0))
    assert torch.equal(weights(first), weights(second))
    assert len(history) == 8


def test_seeds_matter_and_repeat():
    assert torch.equal(weights(run(seed=5)[0]), weights(run(seed=5)[0]))
    assert not torch.equal(weights(run(seed=5)[0]), weights(run(seed=6)[0]))


def test_global_random_state_is_left_alone():
    torch.manual_seed(11)
    run(model=network())
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    model = network()
    torch.manual_seed(11)
    run(model=model)
    assert torch.equal(torch.rand(3), expected)


def test_schedule_restarts_and_decays():
    settings = TrainSettings(
        learning_rate=1.0,
        batch_size=1,
        max_epochs=9,
        patience=9,
        restart_epochs=2,
        epoch_decay=0.5,
    )
    rates = [learning_rate_factor(s, epoch_steps=10, settings=settings) for s in range(40)]
    assert rates[0] == 1
    assert rates[10] == pytest.approx(0.5 * 0.5)  # half way through the cosine, decayed once
    assert rates[20] == pytest.approx(0.25)  # restarted, decayed twice
    assert rates[19] < 0.01


def test_schedule_can_be_constant():
    settings = TrainSettings(
        learning_rate=1.0, batch_size=1, max_epochs=9, patience=9, restart_epochs=None
    )
    assert {learning_rate_factor(s, epoch_steps=10, settings=settings) for s in range(40)} == {1.0}


def without_dropout():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1))


OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory")


class NoRoom(torch.autograd.Function):
    """What passes values on, and finds no memory on the way back."""

    @staticmethod
    def forward(_, x):
        return x.clone()

    @staticmethod
    def backward(*_):
        raise OUT_OF_MEMORY


def with_room_for(n, *, backward=False):
    """Return a loss with memory for the gradients of ``n`` events, and the sizes it was given.

    It runs out of it at once, or after all gradients of weights are there.
    """
    sizes = []

    def loss(model, x, y):
        sizes.append(len(x))
        if len(x) > n and torch.is_grad_enabled():
            if not backward:
                raise OUT_OF_MEMORY
            x = NoRoom.apply(x.detach().requires_grad_())
        return squared_error(model, x, y)

    return loss, sizes


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("room", [20, 1])
def test_short_memory_changes_weights_by_rounding_alone(room, backward, caplog):
    whole, history = run(model=without_dropout())
    loss, sizes = with_room_for(room, backward=backward)
    parts, again = run(model=without_dropout(), loss=loss)
    torch.testing.assert_close(weights(parts), weights(whole), rtol=1e-4, atol=1e-5)
    assert again["train_loss"].tolist() == pytest.approx(history["train_loss"].tolist(), rel=1e-5)
    warnings = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert warnings[:2] == [
        "out of memory with 64 rows at a time: going on with 32",
        "out of memory with 32 rows at a time: going on with 16",
    ]
    assert len(warnings) == (2 if room == 20 else 6)
    assert sizes.count(64) == 1
    assert sizes[2:6] == ([16, 16, 16, 16] if room == 20 else [16, 8, 4, 2])


def test_parts_of_a_batch_weigh_as_many_as_they_are():
    settings = TrainSettings(learning_rate=1e-2, batch_size=50, max_epochs=1, patience=1)
    whole, _ = run(model=without_dropout(), settings=settings)
    loss, sizes = with_room_for(12)
    parts, _ = run(model=without_dropout(), settings=settings, loss=loss)
    assert sizes[:7] == [50, 25, 12, 12, 12, 12, 2]
    torch.testing.assert_close(weights(parts), weights(whole), rtol=1e-4, atol=1e-5)


def test_batches_of_a_stream_are_halved_as_well():
    x, y = events(128)

    def batches(_):
        yield from zip(x.split(64), y.split(64), strict=True)

    trained = []
    for room in (1000, 20):
        model = without_dropout()
        fit(
            model,
            with_room_for(room)[0],
            train=train.Stream(batches, 2, "drawn"),
            validation=train.Stream(batches, 2, "drawn"),
            settings=SETTINGS,
            seed=0,
            device=CPU,
        )
        trained.append(weights(model))
    torch.testing.assert_close(*trained, rtol=1e-4, atol=1e-5)


def test_memory_for_not_even_one_event_is_reported():
    loss, _ = with_room_for(0)
    with pytest.raises(MemoryTooSmall, match="choose a smaller network, or run on a larger"):
        run(loss=loss)


@pytest.mark.parametrize("part", ["loss", "network"])
def test_what_needs_whole_batches_is_not_divided(part):
    model = without_dropout()
    if part == "network":
        model = nn.Sequential(nn.Linear(3, 16), nn.BatchNorm1d(16), nn.Linear(16, 1))
    loss, sizes = with_room_for(20)
    with pytest.raises(
        MemoryTooSmall, match=r"batch of 64 events, which .* lower the .*batch_size"
    ):
        run(model=model, loss=loss, whole_batches=part == "loss")
    assert sizes == [64]


def test_validation_that_does_not_fit_is_halved(monkeypatch):
    x, y = events()
    expected = train.evaluate(network(), squared_error, (x, y), device=CPU)

    def loss(model, x, y):
        if len(x) > 100:
            raise MemoryError
        return squared_error(model, x, y)

    monkeypatch.setattr(train, "VALIDATION_CHUNK", 500)
    found = train.evaluate(network(), loss, (x, y), device=CPU)
    assert found == pytest.approx(expected, rel=1e-6)


def test_other_errors_of_a_loss_are_passed_on():
    def loss(*_):
        msg = "shapes do not match"
        raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="shapes do not match"):
        run(loss=loss)


def test_divergence_is_reported():
    def loss(model, x, y):
        return squared_error(model, x, y) * torch.nan

    with pytest.raises(TrainingDiverged, match="lower learning_rate"):
        run(loss=loss)


def test_no_events_are_refused():
    x, y = events()
    with pytest.raises(ValueError, match="validation tensors have lengths"):
        fit(
            network(),
            squared_error,
            train=(x, y),
            validation=(x[:0], y[:0]),
            settings=SETTINGS,
            seed=0,
            device=CPU,
        )
