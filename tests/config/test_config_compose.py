"""Composing: every choice that is offered works, and Hydra's own state is left as it was."""

import subprocess
import sys
from pathlib import Path

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from openmix import catalogue
from openmix.config import check, compose, expand, names
from openmix.config.groups import CONFIGS, groups
from openmix.errors import ConfigError

MANDATORY = {
    "timm": ["backbone.model_name=resnet18"],
    "imagefolder": ["dataset.source.root=images", "dataset.num_classes=3"],
}
"""What a user has to add to an option that cannot run by itself."""
TRANSFORMER = ["backbone=vit_tiny"]


ATTENTION = {("mixup", each.name) for each in catalogue.mixups() if "attention" in each.needs}


def options():
    return [(group, name) for group in groups() for name in names(group) if group != "exp"]


@pytest.mark.parametrize("group, name", options())
def test_every_option_is_right(group, name):
    needs = TRANSFORMER if (group, name) in ATTENTION else []
    composed = compose([f"{group}={name}", *needs, *MANDATORY.get(name, [])])
    assert composed.choices[group] == name
    assert check(composed) is None


@pytest.mark.parametrize("name", names("exp"))
def test_every_overlay_is_right(name):
    composed = compose([f"+exp={name}", *MANDATORY.get(name, [])])
    assert composed.choices["exp"] == name
    assert check(composed) is None


def test_composed_holds_the_choices_and_the_defaults_of_the_mixup(folder):
    (folder / "mixup" / "x.yaml").write_text(
        "_target_: openmix.mixups.fmix.FMix\nalpha: ${dataset.size}\ndecay: 3.0\n"
    )
    (folder / "exp" / "x.yaml").write_text(
        "# @package _global_\ndefaults: [{override /mixup: x}]\nmixup: {decay: 2.0}\n"
    )
    composed = compose(["+exp=x", "mixup.alpha=0.5", "dataset.size=8"], folder)
    assert composed.choices["mixup"] == "x"
    assert composed.choices["exp"] == "x"
    assert not [group for group in composed.choices if group.startswith("hydra")]
    assert "hydra" not in composed.config
    assert composed.overrides == ["+exp=x", "mixup.alpha=0.5", "dataset.size=8"]
    assert OmegaConf.to_container(composed.config.mixup, resolve=True)["decay"] == 2.0
    assert composed.mixup_defaults == {
        "_target_": "openmix.mixups.fmix.FMix",
        "alpha": 8,
        "decay": 3.0,
    }


def test_hydra_is_left_as_it_was():
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        before = GlobalHydra.instance().hydra
        assert compose(["seed=3"]).config.seed == 3
        with pytest.raises(ConfigError):
            compose(["seeed=3"])
        assert GlobalHydra.instance().hydra is before
        assert hydra.compose("train").seed == 0
    assert GlobalHydra.instance().hydra is None


def test_it_works_inside_hydra_main(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import hydra\n"
        "from openmix.config import check, compose\n"
        "check(compose(['seed=1']))\n"
        f"@hydra.main(version_base='1.3', config_path={str(CONFIGS)!r}, config_name='train')\n"
        "def main(config):\n"
        "    composed = compose(['seed=2'])\n"
        "    check(composed)\n"
        "    print(config.seed, composed.config.seed)\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, program, "seed=3"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "3 2\n", done.stderr


def test_a_grid_is_expanded_and_its_mistakes_are_told():
    assert expand(["mixup=none,fmix", "seed=range(0,2)"]) == [
        ["mixup=none", "seed=0"],
        ["mixup=none", "seed=1"],
        ["mixup=fmix", "seed=0"],
        ["mixup=fmix", "seed=1"],
    ]
    assert [run[0] for run in expand(["mixup=glob(*)"])] == [f"mixup={n}" for n in names("mixup")]
    with pytest.raises(ConfigError, match="close its brackets"):
        expand(["mixup=[a"])


def test_a_folder_without_train_yaml_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"no train\.yaml in "):
        compose([], tmp_path)
