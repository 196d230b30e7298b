"""The tables of methods say what the classes say, and are up to date."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.utils import get_class

from openmix import catalogue
from openmix.config import names

ROOT = Path(__file__).resolve().parents[1]
FAMILIES = {"blend", "cut", "saliency", "feature", "learned", "token", "label", "augmentation"}


def test_every_mixup_is_listed_once():
    assert sorted(entry.name for entry in catalogue.mixups()) == names("mixup")


@pytest.mark.parametrize("entry", catalogue.mixups(), ids=lambda entry: entry.name)
def test_an_entry_says_what_the_class_says(entry):
    assert entry.family in FAMILIES or entry.name == "none"
    assert entry.summary.endswith(".") and entry.summary[0].isupper()
    assert "|" not in entry.summary and "\n" not in entry.summary
    try:
        module = importlib.import_module(f"openmix.mixups.{entry.name}")
    except ModuleNotFoundError:
        return  # a composition
    classes = [c for c in vars(module).values() if getattr(c, "__module__", "") == module.__name__]
    paper = next(c for c in classes if getattr(c, "paper", ""))
    assert (entry.paper, entry.venue, entry.family) == (paper.paper, paper.venue, paper.family)
    assert set(paper.needs) <= set(entry.needs)
    assert get_class(f"{module.__name__}.{paper.__name__}") is paper


def test_the_page_is_current():
    page = (ROOT / "docs" / "mixups.md").read_text(encoding="utf-8")
    assert page == catalogue.markdown() + "\n", "run `make docs`"


def test_listing_imports_no_torch():
    code = "import sys; from openmix import catalogue; catalogue.table(); "
    code += "print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_the_tool_refuses_what_it_does_not_know():
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "list.py"), "methods"], capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stderr.startswith("error: no list of methods")
