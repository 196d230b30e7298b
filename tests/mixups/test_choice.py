import pytest
import torch
from hydra.utils import instantiate

from openmix.config.compose import compose
from openmix.mixups import Choice, CutMix, Mixer, Mixup


class Marked(Mixer):
    """Replaces the images by one number."""

    def __init__(self, mark):
        super().__init__()
        self.lam = self.mark = mark

    def mix(self, x, y):
        return torch.full_like(x, self.mark), y


def counts(mixer, steps=4000):
    """How often each mark came out, by ``mix`` and by ``forward`` in turn."""
    torch.manual_seed(0)
    x, y = torch.zeros(1, 1), torch.ones(1, 1)
    seen = {}
    for i in range(steps):
        out = mixer.mix(x, y)[0] if i % 2 else mixer(torch.nn.Identity(), x, y).logits
        seen[out.item()] = seen.get(out.item(), 0) + 1
        assert mixer.lam == (out.item() or None)
    return seen


def test_odds():
    seen = counts(Choice([Marked(1.0), Marked(2.0), Marked(3.0)], weights=[1, 3, 0]))
    assert set(seen) == {1.0, 2.0} and abs(seen[1.0] - 1000) < 4 * (4000 * 0.25 * 0.75) ** 0.5


def test_odds_are_equal_unless_given():
    seen = counts(Choice([Marked(1.0), Marked(2.0)]))
    assert set(seen) == {1.0, 2.0} and abs(seen[1.0] - 2000) < 4 * 4000**0.5 / 2


@pytest.mark.parametrize("prob", [0.0, 0.3, 1.0])
def test_prob(prob):
    """The odds hold within the share of batches that is mixed."""
    seen = counts(Choice([Marked(1.0), Marked(2.0)], weights=[3, 1], prob=prob))
    for mark, odds in ((0.0, 1 - prob), (1.0, 0.75 * prob), (2.0, 0.25 * prob)):
        assert abs(seen.get(mark, 0) - 4000 * odds) <= 4 * (4000 * odds * (1 - odds)) ** 0.5


def test_cutmix_half_mixes_half_of_the_batches():
    mixer = instantiate(compose(["mixup=cutmix_half"]).config.mixup, _convert_="all")
    torch.manual_seed(0)
    x, y = torch.arange(2.0).view(2, 1, 1, 1).expand(2, 1, 64, 64), torch.eye(2)
    mixed = sum(not torch.equal(mixer.mix(x, y)[0], x) for _ in range(1500))
    assert abs(mixed - 750) < 4 * 1500**0.5 / 2  # one box in a thousand is empty


def test_deit_is_mixup_or_cutmix_by_a_coin():
    mixer = instantiate(compose(["mixup=deit"]).config.mixup, _convert_="all")
    assert [(type(m), m.alpha, m.per_sample) for m in mixer.mixers] == [
        (Mixup, 0.8, False),
        (CutMix, 1.0, False),
    ]
    torch.manual_seed(0)
    x, y = torch.arange(2.0).view(2, 1, 1, 1).expand(2, 1, 8, 8), torch.eye(2)
    binary = sum(mixer.mix(x, y)[0].unique().tolist() == [0, 1] for _ in range(1500))
    assert abs(binary - 750) < 4 * 1500**0.5 / 2


def test_what_a_choice_needs_is_what_its_mixers_need(tiny):
    mixer = instantiate(compose(["mixup=transmix"]).config.mixup, _convert_="all")
    mixer.setup(tiny("vit"))
    with pytest.raises(ValueError, match="TransMix needs a transformer with a class token"):
        mixer.setup(tiny("resnet"))


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0]])
def test_impossible_odds_are_refused(weights):
    with pytest.raises(ValueError, match="2 mixers need as many odds >= 0"):
        Choice([Marked(1.0), Marked(2.0)], weights)


@pytest.mark.parametrize("prob", [-0.1, 1.1])
def test_impossible_prob_is_refused(prob):
    with pytest.raises(ValueError, match=r"prob must lie in \[0, 1\]"):
        Choice([Marked(1.0)], prob=prob)
