"""The loop that README shows for use as a library, run as it stands there."""

import re
from pathlib import Path

import pytest
import torch

README = Path(__file__).resolve().parents[1] / "README.md"
STEPS = 4


def loop(mixer):
    """README's block with another method in the two places that name it."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    [block] = [block for block in blocks if "for images, labels in loader" in block]
    named = block.replace("import FMix", f"import {mixer}").replace("FMix(alpha=1.0)", f"{mixer}()")
    assert named.count(mixer) == 2
    return named


@pytest.mark.parametrize(
    ("mixer", "kind"),
    [
        ("FMix", "resnet"),
        ("CutMix", "resnet"),
        ("Mixup", "vit"),
        ("ResizeMix", "resnet"),
        ("ManifoldMix", "resnet"),
        ("TransMix", "vit"),
    ],
)
def test_the_loop_trains(mixer, kind, tiny, batch):
    torch.manual_seed(0)
    model = tiny(kind)
    x, y = batch()
    before = [p.detach().clone() for p in model.parameters()]
    scope = {
        "loader": [(x, y.argmax(1))] * STEPS,
        "num_classes": y.shape[1],
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
    }
    exec(loop(mixer), scope)
    assert scope["loss"].isfinite()
    torch.testing.assert_close(scope["target"].sum(1), torch.ones(len(x)))
    moved = [not torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True)]
    assert all(moved)
