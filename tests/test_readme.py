"""What the documents say, against the code: commands, links, targets, tables, the example."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import openmix
from openmix.config import check, compose, expand
from openmix.errors import Unsupported

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")]
DOCUMENTS += [*sorted((ROOT / "docs").glob("*.md")), ROOT / "benchmarks" / "README.md"]
README = DOCUMENTS[0].read_text(encoding="utf-8")


OPENMIXUPS = re.findall(r"`([^`]+)`", README[README.index("in its files:") :])
"""What README names in the other project, too."""


def code(text):
    """Lines of code blocks and inline code."""
    fenced = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return [line for block in fenced for line in block.splitlines()] + inline


COMMANDS = sorted(
    {
        line
        for document in DOCUMENTS
        for line in code(document.read_text(encoding="utf-8"))
        if re.match(r"(python|torchrun .*) tools/train\.py ", line)
    }
)


def test_commands_are_found():
    assert any("--multirun" in command for command in COMMANDS)
    assert any(command.startswith("torchrun") for command in COMMANDS)
    assert "python tools/train.py +exp=cifar100_fmix dataset.source.download=true" in COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_compose_and_pass_the_check(command):
    words = shlex.split(command.partition("tools/train.py")[2], comments=True)
    given = [word for word in words if word != "--multirun"]
    runs = expand(given) if "--multirun" in words else [given]
    for run in {tuple(word for word in run if not word.startswith("seed=")) for run in runs}:
        try:
            check(compose(run))
        except Unsupported as error:  # a grid goes on with the others
            assert len(runs) > 1, error


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_linked_files_and_make_targets_exist(document):
    text = document.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#\s]+)", text):
        assert link.startswith("https://") or (document.parent / link).exists(), link
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    known = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = [re.match(r"make (?:\w+=\S+ )?([a-z-]+)", line) for line in code(text)]
    assert {found[1] for found in named if found} <= known


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_named_files_exist(document):
    """Paths of this repository in code spans."""
    here = r"(?:openmix|configs|tools|tests|docs|benchmarks)/[\w./-]+\.(?:py|yaml|md|jpg)"
    for span in code(document.read_text(encoding="utf-8")):
        if re.fullmatch(here, span) and "bandmix" not in span:
            assert (ROOT / span).exists() or span in OPENMIXUPS, span


def test_changelog_has_this_version():
    versions = re.findall(r"^## \[([^\]]+)\]", DOCUMENTS[2].read_text("utf-8"), re.MULTILINE)
    assert versions[0] == openmix.__version__
    assert f"Version {openmix.__version__}" in README


def test_number_of_methods_is_right():
    classes = [
        node
        for file in (ROOT / "openmix" / "mixups").glob("*.py")
        for node in ast.parse(file.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef)
        and 'paper = "https' in ast.unparse(node).replace("'", '"')
    ]
    assert re.search(r"\| methods today \| (\d+),", README)[1] == str(len(classes))


ROWS = re.findall(
    r"^\| `(\w+)` \| [^|]+\| [^|]+\| (\d+) \| (\d+) \| (\w+) \| ([\d.]+) \|", README, re.MULTILINE
)


def test_every_protocol_is_in_the_table():
    files = [path.stem for path in (ROOT / "configs" / "exp").glob("*.yaml")]
    protocols = {compose([f"+exp={name}"]).config.protocol for name in ("digits", "imagenet_deit")}
    assert protocols <= {row[0] for row in ROWS} <= set(files)
    named = {row[0] for row in ROWS}
    assert all(any(name == p or name.startswith(f"{p}_") for p in named) for name in files)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_protocol_table_is_right(row):
    name, epochs, batch, optimizer, lr = row
    config = compose([f"+exp={name}"]).config
    assert (config.protocol, config.epochs, config.batch_size) == (name, int(epochs), int(batch))
    assert config.optimizer._target_.rpartition(".")[2] == optimizer
    assert config.optimizer.lr == float(lr)
    assert (config.runner.ema is not None) == (name == "imagenet_convnext")
    fine_grained = name in ("cub200", "aircraft", "cars")
    assert config.backbone.get("pretrained", False) == fine_grained


def test_the_two_files_of_a_new_mixup_are_all_it_takes(tmp_path):
    """Written into a copy of this repository, they pass its contract tests and draw a picture."""
    for folder in ("openmix", "configs", "tools"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignore)
    (tmp_path / "tests").mkdir()
    for file in ("tests/conftest.py", "tests/mixups/test_contract.py", "setup.cfg"):
        target = tmp_path / file
        target.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, target)
    for language in ("python", "yaml"):
        text = re.search(rf"```{language}\n# (\S+bandmix\S+)\n.*?```", README, re.DOTALL)
        content = text[0].removeprefix(f"```{language}\n").removesuffix("```")
        (tmp_path / text[1]).write_text(content, encoding="utf-8")

    script = """if True:
        import pytest, runpy, sys
        words = ["-q", "-p", "no:cacheprovider", "-k", "bandmix-resnet", "tests"]
        failed = pytest.main(words)
        draw = runpy.run_path("tools/preview.py")["main"]
        sys.exit(failed or draw(["mixup=bandmix", "mixup.alpha=0.5", "out=bandmix.png"]))
    """
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 15 and "skipped" not in done.stdout
    assert (tmp_path / "bandmix.png").stat().st_size > 100_000
