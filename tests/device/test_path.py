"""All else that a run does: its data, targets, losses, optimizers, tests, and checkpoints.

What is done on the pretend device gives what the CPU gives, and the host waits only where it says.
"""

import signal

import pytest
import torch
from hydra.utils import instantiate

from openmix.config import check, compose, names
from openmix.data.loaders import MemoryLoader, Order
from openmix.data.normalise import Normalise
from openmix.errors import Interrupted
from openmix.evaluation.clean import Tally
from openmix.identity import Identity
from openmix.mixups.base import Mixer
from openmix.runner import distributed
from openmix.runner.loop import TrainLoop
from openmix.runner.run import run
from openmix.tasks import Classification

from .pretend import DEVICE, Accelerator
from .steps import node, pictures, train


@pytest.mark.parametrize(
    "augment",
    [name for name in names("augment") if node("augment", name)["batch"] or name == "none"],
)
def test_batches_in_memory(augment):
    def loader(device):
        batch = node("augment", augment)["batch"]
        order = Order(20, 5, train=True, seed=3)
        return MemoryLoader(
            *pictures(20), order, augment=batch and instantiate(batch), device=device
        )

    with Accelerator() as device:
        loaded = loader(DEVICE)
        device.waits.clear()
        batches = list(loaded.batches(1))
    assert device.waits == []
    for (x, y), (images, labels) in zip(batches, loader("cpu").batches(1), strict=True):
        assert torch.equal(y.inner, labels) and x.dtype == images.dtype
        torch.testing.assert_close(x.inner, images)


def test_normalised_images_and_targets():
    images, labels = pictures(5)
    normalise, task = Normalise([0.5] * 3, [0.25] * 3), Classification(10)
    expected = normalise(images), task.target(labels)
    with Accelerator() as device:
        normalise.to(DEVICE)
        device.waits.clear()
        found = normalise(images), task.target(labels.to(DEVICE, non_blocking=True))
    assert device.waits == []
    assert all(torch.equal(a.inner, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("loss", names("loss"))
def test_losses_and_their_gradients(loss):
    torch.manual_seed(0)
    logits, target = torch.randn(6, 10, requires_grad=True), torch.rand(6, 10).softmax(1)
    loss = instantiate(node("loss", loss))
    loss(logits, target).mean().backward()
    with Accelerator() as device:
        there, goal = logits.detach().to(DEVICE).requires_grad_(), target.to(DEVICE)
        device.waits.clear()
        loss(there, goal).mean().backward()
    assert device.waits == []
    torch.testing.assert_close(there.grad.inner, logits.grad)


@pytest.mark.parametrize("optimizer", names("optimizer"))
def test_optimizers(optimizer, tiny):
    settings = node("optimizer", optimizer)
    factory = instantiate({k: v for k, v in settings.items() if k != "decay_all"})
    host, there = tiny("resnet"), tiny("resnet")
    list(train(Mixer(), host, torch.device("cpu"), steps=2, optimizer=factory))
    with Accelerator() as device:
        steps = train(Mixer(), there, DEVICE, steps=2, optimizer=factory)
        next(steps)
        device.waits.clear()
        list(steps)
    assert device.waits == []
    for found, weight in zip(there.parameters(), host.parameters(), strict=True):
        torch.testing.assert_close(found.inner, weight, rtol=1e-4, atol=1e-5)


def test_counts_are_read_after_the_last_batch():
    torch.manual_seed(0)
    batches = [(3 * torch.randn(n, 10), torch.randint(10, (n,))) for n in (7, 7, 2)]
    host = Tally()
    with Accelerator() as device:
        there = Tally(device=DEVICE)
        for logits, labels in batches:
            host.add(logits, labels)
            there.add(logits.to(DEVICE, non_blocking=True), labels.to(DEVICE, non_blocking=True))
        assert device.waits == []
        assert there.result() == pytest.approx(host.result())
    assert all("clean.py" in wait for wait in device.waits) and len(device.waits) <= 2


@pytest.fixture
def identity(tmp_path):
    """``identity("a")``: a checked run of 8 steps of two passes, with all that a run can have."""

    def make(at):
        places = [f"paths.{name}={tmp_path / at / name}" for name in ("runs", "records")]
        options = ["ema=0.9", "clip_grad=1.0", "accumulate=2", "log_every=3", "channels_last=true"]
        composed = compose(
            [
                *("+exp=digits", "mixup=recursivemix", "epochs=2", "batch_size=20"),
                *("dataset.train_limit=80", "dataset.val_fraction=0.2", "augment=flip"),
                *("evaluation.batch_size=200", *(f"runner.{option}" for option in options)),
                *places,
            ]
        )
        check(composed)
        return Identity.of(composed)

    return make


@pytest.fixture
def each_pass(monkeypatch):
    """``each_pass(act)``: call ``act(loop)`` before and after every pass of training."""

    def install(before, after):
        run_iter = TrainLoop.run_iter

        def watched(loop, *batch):
            before(loop)
            run_iter(loop, *batch)
            after(loop)

        monkeypatch.setattr(TrainLoop, "run_iter", watched)

    return install


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")  # "meta" in name alone
def test_a_run_stopped_and_resumed_there_ends_as_one_on_the_cpu(identity, each_pass, monkeypatch):
    """Learner, average, accumulation, checkpoint, resume, tests: the weights agree to the bit."""
    expected = run(identity("host"))
    monkeypatch.setattr(distributed, "start", lambda _device: DEVICE)
    stopped, waits = [], {}

    def before(loop):
        if loop.iter == 5 and not stopped:
            stopped.append(loop.iter)
            signal.raise_signal(signal.SIGTERM)
        device.waits.clear()

    def after(loop):
        waits[loop.iter] = list(device.waits)

    each_pass(before, after)
    with Accelerator() as device:
        with pytest.raises(Interrupted):
            run(identity("device"))
        record = run(identity("device"))
    assert record["restarts"] == 1 and record["hashes"] == expected["hashes"]
    assert record["history"] == expected["history"] and record["metrics"] == expected["metrics"]
    # Every third pass from the last reading on; pass 6 read for its checkpoint, 8 ended an epoch.
    read = {number: noted for number, noted in waits.items() if noted}
    assert list(read) == [3, 11, 14]
    assert all(len(noted) == 1 and "hooks.py" in noted[0] for noted in read.values())
