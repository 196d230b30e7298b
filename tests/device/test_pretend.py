"""The pretend device refuses what a GPU refuses, and sees what makes the host wait for one."""

import copy

import pytest
import torch

from openmix.mixups.base import Mixed, Mixer

from .pretend import DEVICE, Accelerator, Pretend, TwoDevices
from .steps import train

HOST = torch.arange(4.0)


def there():
    return torch.arange(4.0, device=DEVICE)


@pytest.mark.parametrize(
    "act",
    [
        lambda: there() + HOST,
        lambda: HOST.clone().add_(there()),
        lambda: torch.zeros(()).add_(there().sum()),
        lambda: torch.cat([there(), HOST]),
        lambda: torch.stack([there()[0], HOST[0]]),
        lambda: torch.where(there() > 1, HOST, 0.0),
        lambda: HOST[there().long()],
        lambda: torch.rand(3, device=DEVICE, generator=torch.Generator()),
        lambda: there().random_(2, generator=torch.Generator()),
    ],
)
def test_two_devices_never_meet(act):
    with Accelerator(), pytest.raises(TwoDevices):
        act()


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (lambda: there()[1].item(), "_local_scalar_dense"),
        (lambda: bool(there()[1]), "_local_scalar_dense"),
        (lambda: there().tolist(), "tolist"),
        (lambda: there().cpu(), "copy from the device"),
        (lambda: HOST.clone().copy_(there(), non_blocking=True), "copy from the device"),
        (lambda: HOST.to(DEVICE), "copy to the device"),
        (lambda: there().copy_(HOST), "copy to the device"),
        (lambda: torch.tensor([0.5, 1.0], device=DEVICE), "tensor of numbers"),
        (lambda: there().new_tensor(2.0), "tensor of numbers"),
        (lambda: there()[there() > 1], "lookup by a mask"),
        (lambda: there()[HOST.long()], "lookup by numbers of the host"),
        (lambda: there().nonzero(), "nonzero"),
        (lambda: there().masked_select(there() > 1), "masked_select"),
        (lambda: there().unique(), "_unique2"),
        (lambda: there().repeat_interleave(there().long()), "repeat_interleave"),
        (lambda: there().long().bincount(), "bincount"),
        (lambda: there().multinomial(2), "multinomial"),
        (lambda: torch.equal(there(), there()), "equal"),
    ],
)
def test_waits_are_noted_with_their_place(act, why):
    with Accelerator() as device:
        act()
    assert [wait.partition(" at ")[0] for wait in device.waits] == [why]
    assert device.waits[0].partition(" at ")[2].startswith(f"{__file__}:")


def fill_by_mask():
    filled = there()
    filled[filled > 1] = 0
    return filled


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (lambda: HOST.to(DEVICE, non_blocking=True), HOST),
        (lambda: there() + HOST[1], HOST + 1),
        (lambda: HOST[1] + there(), HOST + 1),
        (lambda: there().copy_(HOST, non_blocking=True), HOST),
        (lambda: there()[there().long()], HOST),
        (lambda: there().new_full((), 2), torch.tensor(2.0)),
        (fill_by_mask, torch.tensor([0.0, 1, 0, 0])),
        (lambda: copy.deepcopy(there()), HOST),
    ],
)
def test_what_a_gpu_does_without_the_host_is_let_pass(act, expected):
    with Accelerator() as device:
        result = act()
    assert device.waits == [] and isinstance(result, Pretend)
    assert result.device == DEVICE and torch.equal(result.inner, expected)


def test_an_operation_in_place_hands_back_the_tensor_itself():
    with Accelerator():
        mine = there()
        assert mine.mul_(2) is mine and torch.add(mine, 1, out=mine) is mine
        mine[1:].zero_()
        assert mine.tolist() == [1, 0, 0, 0]


def test_gradients_are_on_the_device():
    with Accelerator() as device:
        weight = there().requires_grad_()
        (weight * weight).sum().backward()
    assert torch.equal(weight.grad.inner, 2 * HOST) and device.waits == []


class Planted(Mixer):
    """Trains on the images as they are, after having done something wrong."""

    def __init__(self, wrong):
        super().__init__()
        self.wrong = wrong

    def forward(self, net, x, y):
        return Mixed(net(self.wrong(x)), y)


def test_a_mixer_with_a_tensor_of_the_host_is_caught(tiny):
    noise = Planted(lambda x: x + torch.randn(x.shape))
    with Accelerator(), pytest.raises(TwoDevices, match=r"add.*\(6, 3, 32, 32\)\] on the host"):
        list(train(noise, tiny("resnet"), DEVICE, steps=1))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda x: x * x.amax().item(), "_local_scalar_dense"),
        (lambda x: x[x.mean((1, 2, 3)) > -9], "lookup by a mask"),
        (lambda x: x[torch.arange(6)], "lookup by numbers of the host"),
        (lambda x: x + torch.ones(x.shape).to(x.device), "copy to the device"),
        (lambda x: x * torch.tensor(0.5, device=x.device), "tensor of numbers"),
    ],
)
def test_a_mixer_that_waits_is_caught(wrong, why, tiny):
    with Accelerator() as device:
        steps = train(Planted(wrong), tiny("resnet"), DEVICE, steps=2)
        next(steps)
        device.waits.clear()
        assert len(list(steps)) == 2
    assert [wait.partition(" at ")[0] for wait in device.waits] == [why] * 2
    assert all(f"{__file__}:" in wait for wait in device.waits)
