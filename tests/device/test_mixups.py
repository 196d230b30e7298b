"""Every mixup takes whole training steps on the pretend device, and the host waits for none."""

import pytest

from openmix.config import names
from openmix.errors import Unsupported

from .pretend import DEVICE, Accelerator
from .steps import mixer_of, train

KINDS = ("resnet", "vit")


@pytest.mark.parametrize("mixup", names("mixup"))
def test_steps_of_a_mixup_stay_on_the_device(mixup, tiny):
    able = 0
    for kind in KINDS:
        mixer, net = mixer_of(mixup), tiny(kind)
        try:
            mixer.setup(net)
        except Unsupported:  # which pairs these are is told by the contract
            continue
        able += 1
        with Accelerator() as device:
            steps = train(mixer, net, DEVICE, steps=2)
            next(steps)
            device.waits.clear()
            losses = [value for step in steps for value in step.values()]
            assert device.waits == []
            assert len(losses) >= 2 and all(value.isfinite() for value in losses)
    assert able
