"""What a report shows of training is what training saw, and a record can run nothing foreign."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from openmix import belongs
from openmix.config import compose
from openmix.errors import ConfigError, DataError, Unsupported
from openmix.identity import Identity
from openmix.report.samples import SHOWN, first_batch
from openmix.runner import build


class FirstStep(Exception):
    """Raised to stop training after its first step."""


def seen_in_training(overrides, folder):
    """What the network got last in the first step of a real run, and the targets."""
    identity = Identity.of(compose(overrides))
    device = build.prepare_torch(identity.config["runner"])
    data = build.build_data(identity.config, device)
    named = {"identity": "test", "title": "test", "backends": []}
    traces = belongs.traces(identity.config)
    runner = build.build(identity.config, data, device, folder, traces=traces, **named)
    inputs, targets = [], []
    learner = runner.learner
    learner.net.register_forward_pre_hook(lambda _module, args: inputs.append(args[0].detach()))
    learner.mixer.register_forward_hook(lambda _module, _args, out: targets.append(out.target))

    def stop(batch, optim_wrapper):
        learner(*batch)
        raise FirstStep

    learner.train_step = stop
    with pytest.raises(FirstStep):
        runner.train()
    return inputs[-1], targets[-1].detach(), data.normalise


@pytest.mark.parametrize("mixup", ["fmix", "mixup", "puzzlemix"])
def test_the_samples_are_those_of_the_first_step(make_record, mixup, tmp_path):
    overrides = [f"mixup={mixup}", "seed=3", "runner.device=cpu"]
    x, target, normalise = seen_in_training(["+exp=digits", *overrides], tmp_path)
    samples = first_batch(make_record(*overrides)).images
    assert len(samples) == SHOWN
    mean, std = -normalise.shift / normalise.scale / 255, 1 / (255 * normalise.scale)
    expected = ((x * std + mean).clamp(0, 1) * 255).round()
    for row, sample in enumerate(samples):
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(sample.picture[22:]))))
        assert np.abs(pixels - expected[row, 0].numpy()).max() <= 1
        for weight, number in re.findall(r"([\d.]+) of class (\d+)", sample.label):
            assert float(weight) == pytest.approx(target[row, int(number)].item(), abs=0.0051)


def test_the_random_state_of_the_caller_does_not_matter(make_record):
    record = make_record("mixup=cutmix")
    torch.manual_seed(1)
    first = first_batch(record)
    torch.manual_seed(2)
    assert first_batch(record) == first


@pytest.mark.parametrize("target", ["os.system", "my_lab.Mix", "subprocess.run"])
def test_a_record_cannot_run_what_openmix_does_not_allow(make_record, target):
    record = make_record()
    record["config"]["mixup"] = {"_target_": target}
    record["config"]["allow_targets"] = [target.partition(".")[0] + "."]
    with pytest.raises(ConfigError, match="allow"):
        first_batch(record)


def test_data_that_are_not_here_are_not_fetched(make_record, tmp_path):
    where = ["dataset=cifar10", f"paths.data={tmp_path}", "dataset.source.download=true"]
    with pytest.raises(DataError, match=r"set dataset\.source\.download=true"):
        first_batch(make_record("backbone=resnet18", *where))


def test_a_pair_that_cannot_work_says_so(make_record):
    with pytest.raises(Unsupported, match="attention"):
        first_batch(make_record("mixup=transmix"))
