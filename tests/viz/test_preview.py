import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from openmix.config.groups import names
from openmix.errors import ConfigError, Unsupported
from openmix.viz.draws import Previewed, caption, parts
from openmix.viz.photos import PHOTOS, SIZE, photographs
from openmix.viz.preview import gallery, preview
from openmix.viz.request import configure
from openmix.viz.sheet import Sheet

TOOL = Path(__file__).resolve().parents[2] / "tools" / "preview.py"


@pytest.fixture(scope="module")
def photos():
    return photographs()


def pixels(sheet):
    return np.asarray(sheet.image).astype(float)


@pytest.mark.parametrize("mixup", names("mixup"))
def test_every_mixup_has_a_picture(mixup, tmp_path):
    path = preview(configure([f"mixup={mixup}"])).save(tmp_path / "deep" / "preview.png")
    image = Image.open(path)
    assert image.width > 4 * SIZE and image.height > len(PHOTOS) * SIZE
    assert 10_000 < path.stat().st_size < 2_000_000
    for row in range(len(PHOTOS)):
        bottom = image.height - 28 - row * (SIZE + 16)
        shown = np.asarray(image.crop((0, bottom - SIZE, image.width, bottom)))
        assert shown.std() > 30


@pytest.mark.parametrize("mixup", ["none", "mixup", "cutmix", "fmix", "resizemix", "deit"])
def test_draws_are_the_steps_of_the_mixer(mixup, photos):
    """What is shown and what its caption says is what mixer.mix gives for the same seed."""
    x, y = photos
    mixup = Previewed(configure([f"mixup={mixup}"]))
    for row in range(len(x)):
        draw = mixup.draw(x, y, row, seed=row)
        torch.manual_seed(row)
        shown, target = mixup.mixer.mix(x, y)
        assert torch.equal(draw.shown, shown[row]) and torch.equal(draw.weights, target[row])
        words = {name: float(w) for w, name in re.findall(r"([\d.]+) (\w+)", caption(target[row]))}
        for name, weight in zip(PHOTOS, target[row].tolist(), strict=True):
            assert words.get(name, 0) == pytest.approx(weight, abs=0.005)
        assert draw.share.mean().item() == pytest.approx(float(target[row, row]), abs=1e-4)


def test_the_network_decides_where_the_mixup_asks_it(photos):
    x, y = photos
    mixup = Previewed(configure(["mixup=transmix"]))
    draws = [mixup.draw(x, y, row, seed=row) for row in range(2)]
    assert mixup.backbone == "vit_tiny" and mixup.looked_inside
    assert "untrained vit_tiny" in mixup.describe()
    for draw in draws:
        assert float(draw.weights.sum()) == pytest.approx(1)
        assert 0 < draw.share.mean() < 1


def test_mixing_inside_the_network_is_told_apart(photos):
    x, y = photos
    inside = Previewed(configure(["mixup=manifoldmix", "mixup.layers=[1]"])).draw(x, y, 1, seed=1)
    assert inside.inside and torch.equal(inside.shown, x[1]) and 0 < inside.weights[1] < 1
    outside = Previewed(configure(["mixup=manifoldmix", "mixup.layers=[0]"])).draw(x, y, 1, seed=1)
    assert not outside.inside and not torch.equal(outside.shown, x[1])


def test_captions_name_the_largest_weight_first():
    weights = torch.zeros(len(PHOTOS))
    weights[0], weights[1] = 0.38, 0.62
    assert caption(weights) == "0.62 coffee / 0.38 cat"
    assert [name for _, name in parts(weights)] == ["coffee", "cat"]


def test_bars_are_as_long_as_their_weights():
    sheet = Sheet(100, 10)
    sheet.bar((0, 0), (100, 10), [(0.62, "#ff0000"), (0.38, "#0000ff")])
    row = pixels(sheet)[5]
    assert (row == [255, 0, 0]).all(1).sum() == 62 and (row == [0, 0, 255]).all(1).sum() == 38


def test_a_gallery_has_a_row_for_each_and_the_unmixed_first():
    cutmix, none = configure(["mixup=cutmix"]), configure(["mixup=none"])
    one, both, unmixed = gallery([cutmix]), gallery([cutmix, none]), gallery([none])
    assert both.image.height > one.image.height and both.image.width == one.image.width
    row = slice(28, 228)
    assert np.array_equal(pixels(both)[row], pixels(unmixed)[row])
    assert not np.array_equal(pixels(one)[row], pixels(unmixed)[row])


def test_a_backbone_that_was_asked_for_is_not_replaced():
    with pytest.raises(Unsupported, match="resnet18"):
        configure(["mixup=transmix", "backbone=resnet18"])


def test_a_picture_is_png_or_jpeg(tmp_path):
    with pytest.raises(ConfigError, match="must end in"):
        Sheet(4, 4).save(tmp_path / "preview.gif")
    assert Sheet(4, 4).save(tmp_path / "preview.jpg").stat().st_size > 0


def test_the_tool_refuses_in_one_line():
    done = subprocess.run(
        [sys.executable, TOOL, "mixup=fmx"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and done.stdout == ""
    assert "did you mean 'fmix'" in done.stderr and done.stderr.count("\n") == 1
