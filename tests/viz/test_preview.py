import re
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from openmix.catalogue import mixups
from openmix.config.groups import names
from openmix.errors import ConfigError, Unsupported
from openmix.mixups.base import Mixed, Mixer
from openmix.viz.draws import Previewed, caption, parts
from openmix.viz.photos import PHOTOS, photographs
from openmix.viz.preview import _draws, gallery, preview
from openmix.viz.request import NETWORKS, configure
from openmix.viz.sheet import Sheet

TOOL = Path(__file__).resolve().parents[2] / "tools" / "preview.py"


SIDE = 64
"""Of the photographs here, in pixels; the networks are small ones too. Only speed depends on it."""


@pytest.fixture(scope="module", autouse=True)
def photos():
    with pytest.MonkeyPatch.context() as patch:
        for module in ("photos", "preview", "request"):
            patch.setattr(f"openmix.viz.{module}.SIZE", SIDE)
        small = (["backbone=wrn10_1"], ["backbone.depth=2", *NETWORKS[1]])
        patch.setattr("openmix.viz.request.NETWORKS", small)
        yield photographs()


def pixels(sheet):
    return np.asarray(sheet.image).astype(float)


@torch.no_grad()
@pytest.mark.parametrize("mixup", names("mixup"))
def test_every_mixup_can_be_drawn(mixup, photos):
    """There is something to see, and a label that names the very photographs it is made of."""
    x, y = photos
    mixup = Previewed(configure([f"mixup={mixup}"]))
    draws = [mixup.draw(x, y, row, seed=row) for row in (0, 3)]
    assert mixup.describe().endswith(".")
    for draw in draws:
        assert draw.shown.shape == (3, SIDE, SIDE) and draw.shown.isfinite().all()
        assert draw.shown.clamp(0, 1).std() > 0.05
        assert draw.share is None or draw.partners
        assert all((partner == x).flatten(1).all(1).any() for partner in draw.partners)
        named = {name for _, name in parts(draw.weights)}
        assert len(draw.partners) < max(2, len(named))
        if draw.weights is not None and mixup.mixer.rows_sum_to_one:
            assert float(draw.weights.sum()) == pytest.approx(1, abs=1e-4)


FAMILIES = {
    "augmentation": "cutout",
    "blend": "regmixup",
    "cut": "fmix",
    "feature": "manifoldmix",
    "label": "rankmixup",
    "learned": "automix",
    "saliency": "saliencymix",
    "token": "transmix",
}


def test_the_families_are_all_here():
    family = {entry.name: entry.family for entry in mixups()}
    assert {family[name]: name for name in FAMILIES.values()} == FAMILIES
    assert set(FAMILIES) == set(family.values()) - {"none"}


@pytest.mark.parametrize("mixup", FAMILIES.values())
def test_a_mixup_of_each_family_has_a_picture(mixup, tmp_path):
    path = preview(configure([f"mixup={mixup}"])).save(tmp_path / "deep" / "preview.png")
    image = Image.open(path)
    assert image.width > 4 * SIDE and image.height > len(PHOTOS) * SIDE
    assert 10_000 < path.stat().st_size < 2_000_000
    for row in range(len(PHOTOS)):
        bottom = image.height - 28 - row * (SIDE + 16)
        shown = np.asarray(image.crop((0, bottom - SIDE, image.width, bottom)))
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
        if draw.share is not None:
            assert draw.share.mean().item() == pytest.approx(float(target[row, row]), abs=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("mixup", ["saliencymix", "attentivemix", "fmix", "recursivemix"])
def test_picture_share_and_label_belong_together(mixup, photos):
    """The mask is that of these very photographs, though it depends on what they show."""
    x, y = photos
    mixup = Previewed(configure([f"mixup={mixup}"]))
    for row in range(2):
        draw = mixup.draw(x, y, row, seed=row + 2)
        assert draw.share.mean().item() == pytest.approx(float(draw.weights[row]), abs=2e-3)
        own = draw.share > 0.5
        assert own.any() and not own.all()
        assert torch.equal(draw.shown[:, own], x[row][:, own])
        assert (draw.shown != x[row]).any(0)[~own].float().mean() > 0.5


@torch.no_grad()
@pytest.mark.parametrize("mixup", ["regmixup", "automix", "smmix"])
def test_of_several_rows_an_image_the_mixed_one_is_shown_with_its_own_label(mixup, photos):
    x, y = photos
    mixup = Previewed(configure([f"mixup={mixup}"]))
    draw = mixup.draw(x, y, 0, seed=1)
    assert not torch.equal(draw.shown, x[0]) and len(draw.partners) == 1
    assert float(draw.weights.sum()) == pytest.approx(1)
    (other,) = (i for i in range(1, 5) if draw.weights[i] > 0)
    assert torch.equal(draw.partners[0], x[other])
    if mixup.mixer.family == "blend":  # nothing but λ decides
        blended = draw.weights[0] * x[0] + draw.weights[other] * x[other]
        torch.testing.assert_close(draw.shown, blended)
        assert "as well" in mixup.describe()


@torch.no_grad()
def test_what_is_only_compared_has_no_label(photos):
    draw = Previewed(configure(["mixup=rankmixup"])).draw(*photos, 0, seed=1)
    assert draw.weights is None and not torch.equal(draw.shown, photos[0][0])
    assert caption(draw.weights) == "no label, only compared" and parts(draw.weights) == []


class AskedFirst(Mixer):
    """Looks at the images, then trains on them in another order, two of them alike."""

    def mix(self, x, y):
        raise NotImplementedError

    def forward(self, net, x, y):
        net(x)
        order = [1, 2, 2, 4, 0]
        return Mixed(net(x[order]), y[order])


@torch.no_grad()
def test_a_pass_to_look_has_no_label_though_it_shows_the_same(photos):
    x, y = photos
    mixup = Previewed(configure(["mixup=none"]))
    mixup.mixer = AskedFirst()
    step = mixup.step(x, y, seed=0)
    assert step.label == [-1] * 5 + list(range(5))
    draw = mixup.draw(x, y, 4, seed=0)
    assert torch.equal(draw.shown, x[0]) and torch.equal(draw.weights, y[0]) and mixup.views == 1


def test_smoothing_names_no_partner(photos):
    draw = Previewed(configure(["mixup=label_smoothing"])).draw(*photos, 0, seed=1)
    assert draw.partners == [] and draw.share is None and not draw.inside
    assert caption(draw.weights) == "0.92 cat / 0.08 others"


def test_photographs_are_normalised_as_for_training(photos):
    """Cutout hides behind the mean colour of the data."""
    composed = configure(["mixup=cutout"])
    source, shown = _draws(composed)[1][0].source, _draws(composed)[1][0].shown
    torch.testing.assert_close(source, photos[0][0])
    mean = torch.tensor(list(composed.config.dataset.mean))
    assert torch.isclose(shown, mean.view(3, 1, 1), atol=1e-6).all(0).any()
    assert shown.min() > -1e-5 and shown.max() < 1 + 1e-5


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
    assert inside.share is None and len(inside.partners) == 1
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


def test_weights_beyond_one_stay_within_their_bar():
    sheet = Sheet(150, 10)
    sheet.bar((0, 0), (100, 10), [(0.9, "#ff0000"), (0.6, "#0000ff")])
    row = pixels(sheet)[5]
    assert (row == [255, 0, 0]).all(1).sum() == 60 and (row == [0, 0, 255]).all(1).sum() == 40


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


def test_a_folder_gets_a_gallery_for_each_family(tmp_path, capsys):
    main = runpy.run_path(str(TOOL))["main"]
    assert main([f"out={tmp_path / 'all'}", "mixup=none,cutout,cutmix,mixup"]) == 0
    assert {file.name for file in (tmp_path / "all").iterdir()} == {
        "augmentation.jpg",
        "cut.jpg",
        "blend.jpg",
    }
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.parametrize(
    ("words", "name"),
    [(["mixup=cutmix", "mixup.alpha=0.5"], "cutmix"), (["mixup=cutmix,mixup"], "gallery")],
)
def test_a_picture_lies_where_git_does_not_look(words, name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for function in ("preview", "gallery"):
        monkeypatch.setattr(f"openmix.viz.preview.{function}", lambda _: Sheet(4, 4))
    assert runpy.run_path(str(TOOL))["main"](words) == 0
    assert capsys.readouterr().out == f"results/previews/{name}.png\n"
    assert [p.name for p in tmp_path.rglob("*.*")] == [f"{name}.png"]


def test_the_tool_refuses_what_is_no_mixup():
    with pytest.raises(ConfigError, match="did you mean 'fmix'"):
        runpy.run_path(str(TOOL))["main"](["mixup=fmx"])
