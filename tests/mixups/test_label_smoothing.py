"""Against torch's own, which takes class indices."""

import pytest
import torch
from torch import nn

from openmix.losses import SoftCrossEntropy
from openmix.mixups import LabelSmoothing


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_it_is_the_label_smoothing_of_torch(smoothing):
    torch.manual_seed(0)
    logits, labels = 3 * torch.randn(6, 5), torch.randint(5, (6,))
    x, y = torch.rand(6, 3, 4, 4), nn.functional.one_hot(labels, 5).float()
    shown, target = LabelSmoothing(smoothing).mix(x, y)
    assert shown is x
    theirs = nn.CrossEntropyLoss(label_smoothing=smoothing, reduction="none")(logits, labels)
    torch.testing.assert_close(SoftCrossEntropy()(logits, target), theirs)


def test_the_mixer_and_the_option_of_the_loss_are_one_thing():
    logits, y = torch.randn(6, 5), torch.eye(5).repeat(2, 1)[:6]
    target = LabelSmoothing(0.1).mix(logits, y)[1]
    assert torch.equal(SoftCrossEntropy()(logits, target), SoftCrossEntropy(0.1)(logits, y))
