import math
from itertools import pairwise

import pytest
from hydra.utils import instantiate

from openmix.config.compose import compose
from openmix.schedules import Constant, Cosine


def test_constant():
    assert {Constant()(0.3, step, 10, 5) for step in range(50)} == {0.3}


def test_cosine_by_hand_at_every_step():
    """From 1 to 0.2 in 4 steps: 0.2 + 0.8 (1 + cos(π s / 4)) / 2."""
    rates = [Cosine(min_lr=0.2)(1.0, step, 2, 2) for step in range(5)]
    half = 0.4 * 2**0.5 / 2
    assert rates == pytest.approx([1.0, 0.6 + half, 0.6, 0.6 - half, 0.2])


def test_cosine_by_hand_once_an_epoch():
    """4 epochs of 3 steps: the rate moves at steps 0, 3, 6, 9 and equals the per-step one there."""
    each = [Cosine(per="epoch")(1.0, step, 3, 4) for step in range(12)]
    half = 2**0.5 / 4
    assert each == pytest.approx([1.0] * 3 + [0.5 + half] * 3 + [0.5] * 3 + [0.5 - half] * 3)
    assert each[::3] == pytest.approx([Cosine()(1.0, step, 3, 4) for step in range(0, 12, 3)])


def test_the_end():
    """Step T would be at ``min_lr``; the last one trained is a step, or an epoch, before."""
    assert Cosine(0.01)(1.0, 100, 10, 10) == pytest.approx(0.01)
    assert Cosine(0.01)(1.0, 250, 10, 10) == pytest.approx(0.01)
    assert Cosine(0.01)(1.0, 99, 10, 10) == pytest.approx(
        0.01 + 0.99 * math.sin(math.pi / 200) ** 2
    )
    last = Cosine(0.01, per="epoch")(1.0, 99, 10, 10)
    assert last == pytest.approx(0.01 + 0.99 * math.sin(math.pi / 20) ** 2)


def test_warm_up_by_step():
    """From 0.1 to 1 over 2 of 6 epochs of 4 steps, then the cosine of all 6 epochs, as in timm."""
    schedule = Cosine(min_lr=0.0, warmup_epochs=2, warmup_lr=0.1)
    rates = [schedule(1.0, step, 4, 6) for step in range(25)]
    assert rates[:8] == pytest.approx([0.1 + 0.9 * step / 8 for step in range(8)])
    assert rates[8] == pytest.approx(0.75) and rates[12] == pytest.approx(0.5)
    assert rates[24] == pytest.approx(0)
    assert all(a > b for a, b in pairwise(rates[8:]))


def test_warm_up_by_epoch_and_by_fractions():
    by_epoch = Cosine(warmup_epochs=2, per="epoch")
    assert [by_epoch(1.0, step, 2, 4) for step in range(6)] == pytest.approx(
        [0, 0, 0.5, 0.5, 0.5, 0.5]
    )
    half = Cosine(warmup_epochs=0.5)
    assert [half(1.0, step, 4, 2) for step in range(3)] == pytest.approx([0, 0.5, 0.5 + 2**0.5 / 4])


def test_a_run_that_is_all_warm_up():
    rates = [Cosine(warmup_epochs=2)(1.0, step, 2, 2) for step in range(4)]
    assert rates == pytest.approx([0, 0.25, 0.5, 0.75])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("constant", [1.0] * 4),
        ("cosine", [1.0, 0.5 + 2**0.5 / 4, 0.5, 0.5 - 2**0.5 / 4]),
        ("cosine_epoch", [1.0, 1.0, 0.5, 0.5]),
    ],
)
def test_config_files(name, expected):
    schedule = instantiate(compose([f"schedule={name}"]).config.schedule)
    assert [schedule(1.0, step, 2, 2) for step in range(4)] == pytest.approx(expected)
