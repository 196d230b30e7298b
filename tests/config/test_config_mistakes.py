"""Every mistake ends in one line that names it and says what to write instead."""

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from openmix import command
from openmix.config import check, compose
from openmix.errors import ConfigError, Unsupported

ROOT = Path(__file__).resolve().parents[2]
TRAIN = ROOT / "tools" / "train.py"

HOOK = "runner.hooks=[{_target_:mmengine.hooks.%s}]"

# command line, then what the line must hold
MISTAKES = [
    # choices
    ("mixup=fmixx", "unknown mixup 'fmixx'", "did you mean 'fmix'?", "available: "),
    ("backbone=resnet8", "unknown backbone", "did you mean 'resnet18'?"),
    ("runner=gpu", "unknown runner 'gpu'; available: cuda, default"),
    ("mixup=", "unknown mixup ''", "available: "),
    ("mixup=null", "mixup=none"),
    ("exp=cifar100", "+exp=cifar100"),
    ("+exp=cifar1000", "unknown exp 'cifar1000'; did you mean 'cifar100'?"),
    ("+expp=cifar100", "did you mean '+exp=cifar100'?"),
    ("+mixup=fmix", "write mixup=fmix, without the +"),
    ("mixup=fmix,cutmix", "asks for several runs", "--multirun"),
    ("mixup=regmixup loss=bce", "regmixup weighs whole rows", "use loss=ce"),
    # grammar
    ("mixup", "'mixup' has no value; write mixup=VALUE"),
    ("seed=[1", "cannot read 'seed=[1'", "brackets"),
    ("seed=1,", """'seed="1,"'"""),
    ("seed=foo(1)", "cannot read 'seed=foo(1)': ", "Unknown function"),
    ("seed=${nope}", "seed refers to something that is not there", "'nope'"),
    ("seed=${oc.env:NO_SUCH_NAME}", "seed refers to", "'NO_SUCH_NAME' not found"),
    ("+seed=3", "seed is in the config already"),
    ("~seed", "seed is missing"),
    ("~sed", "unknown key 'sed'", "did you mean 'seed'?"),
    ("mixup=deit ~mixup.mixers.0", "an item of a list cannot be taken out"),
    ("runner.hooks.0=3", "not an item of the list", "write runner.hooks=[...]"),
    # keys
    ("lrr=0.1", "unknown key 'lrr'; did you mean 'optimizer.lr'?"),
    ("lr=0.1", "did you mean 'optimizer.lr'?"),
    ("mixup=fmix alpha=0.5", "did you mean 'mixup.alpha'?"),
    ("batchsize=3", "did you mean 'batch_size'?"),
    ("mixupp.alpha=3 mixup=fmix", "did you mean 'mixup.alpha'?"),
    ("runner.worker=2", "did you mean 'runner.workers'?"),
    ("+runner.worker=2", "did you mean 'runner.workers'?"),
    ("mixup=fmix mixup.aplha=1", "did you mean 'mixup.alpha'?"),
    ("mixup=fmix +mixup.aplha=1", "FMix", "did you mean 'mixup.alpha'?"),
    ("optimizer=adamw optimizer.momentum=0.9", "optimizer takes ", "betas"),
    ("mixup.alpha=1", "mixup takes nothing"),
    ("backbone=timm backbone.model_name=resnet50 backbone.drop_rate=1", "+backbone.drop_rate=1"),
    # missing values
    ("backbone=timm", "backbone.model_name has no value; set it: backbone.model_name=VALUE"),
    ("dataset=imagefolder dataset.source.root=x", "dataset.num_classes has no value"),
    ("~backbone.depth", "backbone.depth is missing", "WideResNet"),
    # types and ranges
    ("seed=abc", 'seed must be a whole number, not "abc"'),
    ("seed=-1", "seed must be >= 0, not -1"),
    ("seed=true", "seed must be a whole number, not true"),
    ("seed=1.5", "seed must be a whole number, not 1.5"),
    ("epochs=0", "epochs must be >= 1, not 0"),
    ("optimizer.lr=abc", 'optimizer.lr must be a number, not "abc"'),
    ("optimizer.lr='0.1'", 'optimizer.lr must be a number, not "0.1"; use optimizer.lr=$NAME, or '),
    ("seed=${oc.env:HOME}", 'seed must be a whole number, not "'),
    ("paths.runs=2024", "must be text, not 2024; a text is written 'paths.runs="),
    ("optimizer.lr=-1", "optimizer.lr must be >= 0, not -1"),
    ("optimizer.lr=nan", "optimizer.lr must be >= 0, not NaN"),
    ("optimizer=adamw optimizer.betas=[0.9]", "optimizer.betas is too short: [0.9]"),
    ("optimizer=adamw optimizer.betas=[0.9,2]", "optimizer.betas.1 must be < 1, not 2"),
    ("optimizer.nesterov=1", "optimizer.nesterov must be true or false"),
    ("select=vall", "select must be last, median10, val or best", "did you mean 'val'?"),
    ("runner.amp=fp8", "runner.amp must be none, bf16 or fp16"),
    ("runner.device=gpu", "runner.device must be auto, cpu, cuda or cuda:N"),
    ("runner.clip_grad=0", "runner.clip_grad must be > 0, not 0"),
    ("runner.ema=1", "runner.ema must be < 1, not 1"),
    ("runner.hooks=3", "runner.hooks must be a list, not 3"),
    ("loss.smoothing=1", "loss.smoothing must be < 1, not 1"),
    ("schedule.per=batch", 'schedule.per must be step or epoch, not "batch"'),
    ("schedule.warmup_epochs=-1", "schedule.warmup_epochs must be >= 0"),
    ("dataset.label_noise=2", "dataset.label_noise must be <= 1, not 2"),
    ("dataset.mean=[0.5,0.5]", "dataset.mean has 2 values"),
    ("mixup=fmix mixup.alpha=high", 'mixup.alpha must be a number, not "high"'),
    ("mixup=fmix mixup.variant=papper", "isotropic, paper or official", "did you mean 'paper'?"),
    ("mixup=deit mixup.weights=[0.5,a]", 'mixup.weights.1 must be a number, not "a"'),
    ("paths.data=null", "paths.data must be text, not null"),
    ("logger.backends=[wandbb]", "logger.backends.0 must be ", "did you mean 'wandb'?"),
    # targets
    ("optimizer._target_=torch.optim.SDG", "torch.optim has no 'SDG'; did you mean 'SGD'?"),
    ("optimizer._target_=torch.optm.SGD", "not allowed; did you mean torch.optim?"),
    ("optimizer._target_=torch.load", "torch.load is not allowed; allowed are "),
    ("optimizer._target_=my_lab.SGD", "'allow_targets=[my_lab.]'"),
    ("optimizer._target_=SGD", "must be a dotted path"),
    ("optimizer._target_=openmix.config", "is a module"),
    ("optimizer._target_=openmix.config.compose.hydra.compose", "leads to hydra.compose.compose"),
    ("loss._target_=torch.nn.modules.module.torch.hub.load", "leads to torch.hub.load"),
    ("loss._target_=torch.nn.Linear.forward", "goes inside", "name a class or function"),
    ("+runner.x._target_=os.system", "unknown key 'runner.x'"),
    ("allow_targets=[os.]", "'os.' cannot be allowed"),
    ("allow_targets=[torch.]", "'torch.' cannot be allowed"),
    ("allow_targets=[my_lab]", "with a dot behind it"),
    ("allow_targets=[my_lab.] loss._target_=my_lab.Loss", "no package 'my_lab'", "PYTHONPATH"),
    (HOOK % "EarlyStoppingHok", "mmengine.hooks has no", "did you mean 'EarlyStoppingHook'?"),
    (HOOK % "EarlyStoppingHook", "runner.hooks.0.monitor is missing"),
    (HOOK % "EarlyStoppingHook,monitr:top1", "did you mean 'runner.hooks.0.monitor'?"),
    ("runner.hooks=[{_target_:os.system,command:ls}]", "os.system is not allowed"),
    ("runner.hooks=[{_traget_:mmengine.hooks.EMAHook}]", "did you mean '_target_'?"),
    ("+optimizer._convert_=some", "optimizer._convert_ must be one of all, none, object, partial"),
    ("optimizer._partial_=maybe", "optimizer._partial_ must be true or false"),
    ("+loss._args_=[1,2,3]", "loss._args_ has 3 items, too many"),
    ("+loss._args_=[0.1]", "loss.smoothing is given twice"),
    ("backbone=timm backbone.model_name=resnt50", "timm has no model", "did you mean 'resnet50'?"),
    # pairs
    ("mixup=transmix backbone=resnet18", "transmix needs attention", "resnet18", "backbone=deit_"),
    ("mixup=manifoldmix runner.compile=true", "manifoldmix", "use runner.compile=false"),
    ("batch_size=63 runner.accumulate=2", "cannot be split", "use batch_size=64"),
    ("select=val", "dataset.val_fraction=0.1"),
]


def refusal(line, folder=ROOT / "configs"):
    with pytest.raises((ConfigError, Unsupported)) as caught:
        check(compose(line.split(), folder))
    return str(caught.value)


@pytest.mark.parametrize("case", MISTAKES, ids=[each[0] for each in MISTAKES])
def test_a_mistake_is_told_in_one_line(case):
    line, *fragments = case
    told = refusal(line)
    assert all(fragment in told for fragment in fragments), told
    assert "\n" not in told
    assert len(told) <= 160, told


STRANGE = [
    *("/data/été", "/data/photos (copy)", "/data/lr=0.1", "日 本  x", "a,b", "1,", "~/x", "50%="),
    *('a"b', "it's", "a'b\"c=", "a#b", "a!b", "a;b&c", "x`id`=", "$HOME=", 'a\\"b', "a\\\\=\\"),
]


@pytest.mark.parametrize("value", STRANGE)
def test_the_word_to_type_survives_shell_and_hydra(value):
    with pytest.raises(ConfigError) as caught:
        compose([f"paths.runs={value}"])
    word = re.search(r"'paths.runs=.*", str(caught.value))[0]
    typed = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True)
    assert compose([typed.stdout.decode()]).config.paths.runs == value


def test_a_list_of_strange_texts_is_shown_as_a_list():
    with pytest.raises(ConfigError, match=re.escape("""'runner.hooks=["a=b","c d("]'""")):
        compose(["runner.hooks=[a=b,c d(]"])


# file below configs/, its text, command line, fragments
FILES = [
    ("exp/x.yaml", "lrr: 0.3", "+exp=x", "unknown key 'lrr'; did you mean 'optimizer.lr'?"),
    (
        "exp/x.yaml",
        "mixup: {aplha: 1}",
        "+exp=x mixup=fmix",
        "+exp=x sets mixup.aplha for mixup=any",
    ),
    ("exp/x.yaml", "mixup: {aplha: 1}", "+exp=x", "unknown key 'mixup.aplha'"),
    ("exp/x.yaml", "optimizer: {momentun: 1}", "+exp=x", "did you mean 'optimizer.momentum'?"),
    ("exp/x.yaml", "hydra: {run: {dir: x}}", "+exp=x", "hydra.run is not followed; paths.runs"),
    ("exp/x.yaml", "mixup: 3", "+exp=x", "mixup must be a group of settings, not 3"),
    ("exp/x.yaml", "defaults: [nope]", "+exp=x", "configs/exp/x.yaml: unknown exp 'nope'"),
    ("exp/x.yaml", "defaults: [{override /mixup: fmx}]", "+exp=x", "did you mean 'fmix'?"),
    ("exp/x.yaml", "defaults: [{override /mixp: fmix}]", "+exp=x", "did you mean 'mixup'?"),
    ("exp/x.yaml", "seed: [1,\nb: 2", "+exp=x", "configs/exp/x.yaml, line "),
    ("exp/x.yaml", "seed: 1\nseed: 2", "+exp=x", "bad yaml: found duplicate key seed"),
    ("mixup/x.yaml", "alpha: 1", "mixup=x", "mixup._target_ is missing"),
    ("mixup/x.yaml", "_target_: openmix.mixups.fmx.FMix", "mixup=x", "did you mean 'fmix'?"),
    ("mixup/x.yaml", "_target_: 3", "mixup=x", "mixup._target_ must be text, not 3"),
    (
        "mixup/x.yaml",
        "a: '\\${oc.create:{_target_: os.system}}'",
        "mixup=x",
        "mixup.a must not hold",
    ),
    ("mixup/x.yaml", "_target_: ${nope", "mixup=x", "_target_ cannot be read"),
]


@pytest.mark.parametrize("name, text, line, fragment", FILES, ids=[each[1] for each in FILES])
def test_a_mistake_in_a_file_is_told_in_one_line(folder, name, text, line, fragment):
    head = "# @package _global_\n" if name.startswith("exp/") else ""
    (folder / name).write_text(f"{head}{text}\n")
    told = refusal(line, folder)
    assert fragment in told
    assert "\n" not in told
    assert len(told) <= 160, told


def test_a_mistaken_exp_without_a_package_line_says_what_to_write(folder):
    (folder / "exp" / "x.yaml").write_text("defaults: [{override /mixup: fmix}]\n")
    assert "# @package _global_" in refusal("+exp=x", folder)


def test_values_of_an_overlay_do_not_reach_another_mixup(folder):
    (folder / "exp" / "x.yaml").write_text(
        "# @package _global_\ndefaults: [imagenet, {override /mixup: mixup}]\nmixup: {alpha: 0.2}\n"
    )
    (folder / "exp" / "y.yaml").write_text("# @package _global_\ndefaults: [x]\nepochs: 3\n")
    told = "for mixup=mixup, not for cutmix; use +exp=imagenet mixup=cutmix"
    assert told in refusal("+exp=x mixup=cutmix", folder)
    assert told in refusal("mixup=cutmix +exp=y", folder)
    assert check(compose(["+exp=x", "mixup=mixup"], folder)) is None
    assert check(compose(["+exp=x", "mixup.alpha=0.4"], folder)) is None


@pytest.mark.parametrize(("grid", "code"), [(False, 2), (True, 0)])
def test_a_refused_request_writes_nothing(grid, code, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("OPENMIX_RUNS", "OPENMIX_RECORDS"):
        monkeypatch.delenv(name, raising=False)
    assert command.train(["+exp=digits", "mixup=transmix"], grid) == code
    assert "error: transmix needs attention" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_pair_that_cannot_work_is_unsupported_and_others_are_not():
    with pytest.raises(Unsupported):
        check(compose(["mixup=transmix", "backbone=resnet18"]))
    assert check(compose(["mixup=transmix", "backbone=vit_tiny"])) is None
    unknown = ["mixup=transmix", "backbone=timm", "backbone.model_name=resnet18"]
    assert check(compose(unknown)) is None


RIGHT = [
    "optimizer.lr=1 epochs=1 seed=0 runner.device=cuda:1 runner.clip_grad=1 runner.ema=0.999",
    "runner.hooks=[{_target_:mmengine.hooks.EarlyStoppingHook,monitor:top1}]",
    "optimizer._target_=torch.optim.AdamW ~optimizer.momentum ~optimizer.nesterov",
    "backbone=timm backbone.model_name=resnet50.a1_in1k +backbone.drop_rate=0.1",
    "backbone=timm backbone.model_name=hf-hub:someone/something",
    "loss._target_=torch.nn.CrossEntropyLoss ~loss.smoothing +loss.label_smoothing=0.1",
    "mixup=fmix.yaml mixup.alpha=2 select=val dataset.val_fraction=0.1",
    "mixup=deit mixup.mixers.0.alpha=0.4",
]


@pytest.mark.parametrize("line", RIGHT)
def test_what_is_right_passes(line):
    assert check(compose(line.split())) is None


@pytest.mark.parametrize(
    "mixer, fragment",
    [
        ("{_target_: probe_lab.mixers.Blend, alpha: 0}", "mixup.alpha must be > 0, not 0"),
        ("{_target_: probe_lab.mixers.Child, alpha: -1}", "mixup.alpha must be > 0, not -1"),
        ("{_target_: probe_lab.Reexported, alpha: .inf, prob: 2}", "mixup.prob must be <= 1"),
        ("{_target_: probe_lab.Blend}", "mixup.alpha is missing"),
        ("{_target_: probe_lab.mixers.system, command: x}", "leads to os.system"),
        ("{_target_: probe_lab.mixers.os.system}", "leads to os.system"),
        ("{_target_: probe_lab.mixers.operating.system}", "leads to os.system"),
        ("{_target_: probe_lab.mixers.run}", "leads to os.system"),
        ("{_target_: probe_lab.mixers.Path}", "leads to pathlib"),
        ("{_target_: probe_lab.mixers.thing}", "which is not allowed"),
        ("{_target_: probe_lab.broken.f}", "line 1: not valid Python"),
        ("{_target_: probe_lab.circle.ring}", "is imported in a circle"),
        ("{_target_: probe_lab.mixers.Bare, alpha: 1}", "it takes nothing"),
        ("{_target_: probe_lab.other.Far, distance: .nan}", "must be a number, not nan"),
    ],
)
def test_a_package_of_ones_own_is_checked_without_importing_it(lab, folder, mixer, fragment):
    (folder / "mixup" / "own.yaml").write_text(mixer)
    told = refusal("mixup=own allow_targets=[probe_lab.]", folder)
    assert fragment in told
    assert len(told) <= 160
    assert lab not in sys.modules


def test_needs_of_nested_mixers_count(lab, folder):
    (folder / "mixup" / "own.yaml").write_text(
        "_target_: openmix.mixups.choice.Choice\n"
        "mixers: [{_target_: probe_lab.mixers.Child, alpha: 1}]\n"
    )
    assert "own needs attention" in refusal(
        "mixup=own backbone=resnet18 allow_targets=[probe_lab.]", folder
    )


def in_a_process(*arguments, cwd):
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done, time.monotonic() - began


def test_a_refusal_is_quick_and_imports_nothing_slow(tmp_path):
    program = """
import sys
from openmix import command
from openmix.config import check, compose
for line in (["mixup=transmix", "backbone=vit_tiny"], ["optimizer.lr=abc"], ["mixup=fmixx"]):
    try:
        check(compose(line))
    except ValueError as error:
        print(error)
print(sorted({"torch", "timm", "torchvision", "mmengine", "wandb", "numpy"} & set(sys.modules)))
"""
    done, seconds = in_a_process("-c", program, cwd=tmp_path)
    assert done.stderr == ""
    *told, slow = done.stdout.splitlines()
    assert len(told) == 2
    assert slow == "[]"
    assert seconds < 3


@pytest.mark.skipif(not TRAIN.is_file(), reason="tools/train.py is not there")
def test_the_command_refuses_before_it_touches_anything(tmp_path):
    lines = [each for each in MISTAKES if not each[0].startswith("mixup=transmix")][::3][:26]
    assert len(lines) >= 25

    def run(case):
        number, (line, *fragments) = case
        place = tmp_path / str(number)
        place.mkdir()
        paths = [f"paths.{name}={place}/{name}" for name in ("runs", "records")]
        if line.startswith("paths."):
            paths = []
        done, _ = in_a_process(str(TRAIN), *paths, *line.split(), cwd=place)
        return line, fragments, done, list(place.rglob("*"))

    with ThreadPoolExecutor(2) as pool:
        for line, fragments, done, made in pool.map(run, enumerate(lines)):
            assert done.returncode == 2, (line, done)
            assert done.stderr.startswith("error: "), (line, done)
            assert done.stderr.count("\n") == 1, (line, done)
            assert all(fragment in done.stderr for fragment in fragments), (line, done)
            assert done.stdout == ""
            assert made == []
