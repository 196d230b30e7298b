"""What does not go together is told before a run begins, and trying it changes nothing."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from openmix.data.loaders import MemoryLoader, Order
from openmix.errors import ConfigError, Interrupted
from openmix.losses import DecoupledCrossEntropy, SoftCrossEntropy
from openmix.mixups.base import Mixer
from openmix.reason import one_line
from openmix.runner import build, optimize, trial
from openmix.runner.learner import Learner
from openmix.runner.run import run
from openmix.tasks import Classification

TIMM = ("backbone=timm", "backbone.model_name=resnet10t")
MISFITS = [
    ((*TIMM, "backbone.num_classes=7"), "(4, 7)", "set backbone.num_classes=10"),
    ((*TIMM, "backbone.num_classes=12"), "(4, 12)", "set backbone.num_classes=10"),
    ((*TIMM, "backbone.num_classes=0", "mixup=snapmix"), "(4, 512)", "backbone.num_classes=10"),
    ((*TIMM, "+backbone.features_only=true"), "gives a list", "backbone.features_only"),
    (
        ("backbone=timm", "backbone.model_name=vit_tiny_patch16_224", "+backbone.depth=1"),
        "8 x 8 px in 1 channel",
        "set +backbone.img_size=8 and +backbone.patch_size",
    ),
    (("backbone.in_chans=3",), "8 x 8 px in 1 channel:", "set backbone.in_chans=1"),
    (("backbone=timm", "backbone.model_name=convnext_atto"), "dataset.size=8 may be too small"),
    ((*TIMM, "batch_size=1"), "Expected more than 1 value per channel", "raise batch_size"),
    (
        ("loss._target_=torch.nn.CrossEntropyLoss", "~loss.smoothing"),
        "loss (CrossEntropyLoss) gives () for 4 rows",
        "+loss.reduction=none",
    ),
    (("optimizer.nesterov=true", "optimizer.momentum=0"), "optimizer cannot be built", "momentum"),
    ((*TIMM, "+backbone.checkpoint_path=no.pth"), "backbone.checkpoint_path=no.pth: FileNotFound"),
]


@pytest.mark.parametrize("case", MISFITS, ids=lambda case: " ".join(case[0]))
def test_what_does_not_go_together_is_refused_and_not_on_record(case, identity):
    options, *fragments = case
    wrong = identity(*options)
    with pytest.raises(ConfigError) as caught:
        run(wrong)
    told = one_line(caught.value)
    assert all(fragment in told for fragment in fragments), told
    assert not wrong.records.exists() and not wrong.folder.exists()


class Net(nn.Module):
    """Logits of ten classes, handed over by ``answer(net, logits)``."""

    def __init__(self, answer=lambda net, logits: logits, classes=10):
        super().__init__()
        self.fc, self.answer = nn.Linear(64, classes), answer

    def forward(self, x):
        return self.answer(self, self.fc(x.flatten(1)))


@pytest.fixture
def data():
    """Twenty training images, and a test set whose last batch has one."""

    def loader(count, train):
        images = torch.zeros(count, 1, 8, 8, dtype=torch.uint8)
        return MemoryLoader(images, torch.zeros(count, dtype=torch.int64), Order(count, 10, train))

    return SimpleNamespace(
        train=loader(20, True), val=None, test=loader(11, False), normalise=lambda raw: raw / 255.0
    )


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        (lambda net, logits: [logits], "gives a list for 4 images"),
        (lambda net, logits: (logits, logits) if net.training else logits, "gives a tuple"),
        (lambda net, logits: {"logits": logits}, "gives a dict"),
        (lambda net, logits: logits[:, :, None, None], "gives the shape (4, 10, 1, 1)"),
        (lambda net, logits: logits.squeeze(), "gives the shape (10,) for 1 images"),
    ],
)
def test_answers_of_a_network_of_ones_own(answer, fragment, identity, data):
    config = identity().config
    trial.network(config, Net(), data)
    with pytest.raises(ConfigError) as caught:
        trial.network(config, Net(answer), data)
    assert fragment in str(caught.value)


class Raises(Mixer):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def mix(self, x, y):
        raise self.error


def steps(data, mixer=None, loss=None, classes=10):
    net = Net(classes=classes)
    parts = mixer or Mixer(), Classification(classes), loss or SoftCrossEntropy()
    learner = Learner(net, *parts, data.normalise)
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.1)
    wrapper = optimize.Precision(optimizer, torch.device("cpu"))
    trial.steps(learner, wrapper, data, "own")


def test_a_mixup_that_refuses_the_network_is_named_with_the_place(data):
    with pytest.raises(ConfigError, match="mixup=own cannot train this Net on images of 8 x 8 px"):
        steps(data, Raises(ValueError("odd sizes only")))
    with pytest.raises(ConfigError, match=r"ValueError: odd sizes only \(.*test_trial.py:\d+\)"):
        steps(data, Raises(ValueError("odd sizes only")))


@pytest.mark.parametrize("error", [IndexError("out of range"), NotImplementedError(), TypeError()])
def test_a_mistake_in_code_stays_what_it_is(error, data):
    with pytest.raises(type(error)) as caught:
        steps(data, Raises(error))
    assert caught.value is error and "test_trial.py:" in one_line(error)


def test_a_loss_that_does_not_know_one_class_is_named(data):
    steps(data, loss=DecoupledCrossEntropy())
    with pytest.raises(ConfigError, match=r"loss \(DecoupledCrossEntropy\) fails on 1 classes"):
        steps(data, loss=DecoupledCrossEntropy(), classes=1)


def test_a_loss_that_is_not_finite_is_told_and_not_refused(data):
    class Infinite(SoftCrossEntropy):
        def forward(self, logits, target):
            return super().forward(logits, target) / 0

    with pytest.warns(UserWarning, match=r"loss \(Infinite\) is not finite before the first step"):
        steps(data, loss=Infinite())


@pytest.mark.parametrize("mixup", ["none", "automix", "recursivemix", "manifoldmix"])
def test_a_run_is_the_same_without_its_trial(mixup, identity, monkeypatch):
    options = (f"mixup={mixup}", "epochs=1", "runner.ema=0.9")
    tried = run(identity(*options, at="tried"))
    monkeypatch.setattr(build, "_try", lambda *parts: None)
    untried = run(identity(*options, at="untried"))
    assert tried["hashes"] == untried["hashes"] and tried["history"] == untried["history"]


def test_generators_are_left_as_they_were():
    def draws():
        return torch.rand(2).tolist(), random.random(), np.random.rand()

    torch.manual_seed(0), random.seed(0), np.random.seed(0)
    expected = draws()
    torch.manual_seed(0), random.seed(0), np.random.seed(0)
    with trial.unseen(torch.device("cpu")):
        draws()
    assert draws() == expected


def test_nothing_is_tried_when_a_run_goes_on(identity, at_pass, monkeypatch):
    at_pass({4})
    with pytest.raises(Interrupted):
        run(identity())
    monkeypatch.setattr(build, "_try", lambda *parts: pytest.fail("tried"))
    assert run(identity())["restarts"] == 1


def test_few_images_are_those_of_the_first_batch(identity, image_folder):
    for options in ((), ("dataset=imagefolder", f"dataset.source.root={image_folder}",
                         "dataset.num_classes=3", "dataset.size=20", "runner.workers=0",
                         "dataset.train_limit=null")):  # fmt: skip
        loader = build.build_data(identity(*options).config, torch.device("cpu")).train
        few, first = loader.few(3), next(loader.batches())
        for one, other in zip(few, first, strict=True):
            assert torch.equal(one, other[:3])
