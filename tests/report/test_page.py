"""The page of a run, and the tool that writes it."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from openmix import records
from openmix.report import page, write
from openmix.report.samples import Sample, Samples

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>'


class Words(HTMLParser):
    def __init__(self, source):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(source)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_tells_all_of_a_run(make_record):
    record = make_record("mixup=fmix", "mixup.alpha=0.5", "seed=4", restarts=2)
    told = Words(page.render(record, "no data here")).text
    for words in (
        "fmix alpha=0.5 seed 4",
        "median10 91.50 99.00 0.3100 4.20",
        f"python tools/verify.py {record['key']} seed=4",
        "python tools/train.py +exp=digits mixup=fmix mixup.alpha=0.5 seed=4",
        "training 1.5 min",
        "restarts 2",
        "cd" * 32,
        record["data"]["checksum"],
        "mixup.alpha: 0.5",
        "Not drawn here: no data here",
    ):
        assert words in told


def test_every_series_of_the_history_has_a_curve(make_record):
    source = page.render(make_record(), "-")
    assert re.findall(r"<figcaption>(\w+)<", source) == ["top1", "train_loss", "nll", "ece", "lr"]
    assert source.count("curve line1") == 5


def test_a_run_that_failed_at_once_has_a_page_too(make_record):
    empty = {"status": "failed", "reason": "loss became nan at step 3", "metrics": {}}
    record = make_record(**empty, history=[], cost={}, hashes={}, data={}, code=None)
    told = Words(page.render(record, "-")).text
    assert "loss became nan at step 3" in told and "Curves" not in told


def test_names_cannot_become_html(make_record):
    record = make_record(mixup=HOSTILE, dataset=HOSTILE, reason="", overrides=[HOSTILE])
    record["config"][HOSTILE] = HOSTILE
    record["environment"][HOSTILE] = HOSTILE
    samples = Samples([Sample("data:image/png;base64,", 8, 8, HOSTILE)], HOSTILE)
    found = Words(page.render(record, samples))
    assert found.tags.count("img") == 1 and "script" not in found.tags
    assert found.text.count(HOSTILE) >= 6
    policy = re.search(r'Policy" content="([^"]*)"', page.render(record, samples))[1]
    assert "script-src &#39;none&#39;" in policy and "img-src data:" in policy


@pytest.fixture
def place(tmp_path, monkeypatch, make_record):
    """A folder with a record and the run's folder, as training leaves them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENMIX_RECORDS", raising=False)
    record = make_record("mixup=cutmix", "seed=1")
    path = records.write("results/records", record)
    run = records.path("runs", record).with_suffix("")
    run.mkdir(parents=True)
    return path, run


def test_a_record_and_a_run_lead_to_the_same_page(place):
    path, run = place
    assert write(run) == run / "report.html"
    page = Path("results/reports", f"{path.stem}.html")
    assert write(path) == page
    source = (run / "report.html").read_text(encoding="utf-8")
    assert source == page.read_text(encoding="utf-8")
    assert source.count("<img") == 16


def test_a_page_without_samples_says_why(place):
    record = records.read(place[0])
    record["config"]["dataset"]["source"]["_target_"] = "my.digits"
    page = write(records.write("elsewhere", record), Path("page.html"))
    assert "Not drawn here: " in page.read_text(encoding="utf-8")


def test_a_page_drawn_after_the_data_changed_says_so(place):
    record = records.read(place[0])
    record["data"]["checksum"] = "ab" * 32
    page = write(records.write("elsewhere", record), Path("page.html")).read_text(encoding="utf-8")
    assert "Not drawn here: the data have changed since this run" in page and "<img" not in page


def test_a_page_drawn_after_the_mixup_changed_says_so(place):
    record = records.read(place[0]) | {"sources": {"openmix.mixups.cutmix": "0" * 12}}
    page = write(records.write("elsewhere", record), Path("page.html")).read_text(encoding="utf-8")
    assert "Not drawn here: cutmix.py has changed since this run" in page


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name one run"),
        (["a", "b"], "name one run"),
        (["gone.json"], "gone.json: cannot be read: No such file or directory"),
        (["."], "name a record or the folder of a run"),
        (["torn.json"], "torn.json: damaged: not valid JSON"),
    ],
)
def test_a_mistake_ends_in_one_line_and_exit_code_2(tmp_path, words, message):
    tmp_path.joinpath("torn.json").write_text('{"schema": 1')
    done = subprocess.run(
        [sys.executable, ROOT / "tools/report.py", *words],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "OPENMIX_RECORDS"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert done.stderr.startswith("error: ") and message in done.stderr
