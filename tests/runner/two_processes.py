"""A process of a distributed run, started by torchrun: two_processes.py FOLDER STOP_AT OVERRIDE...

Leaves in FOLDER/rankR.json the digest of its parameters and what its mixer drew; ends with 75 when
it was stopped after step STOP_AT.
"""

import json
import os
import signal
import sys
from pathlib import Path

from openmix.config import check, compose
from openmix.errors import Interrupted
from openmix.identity import Identity
from openmix.runner import build, checkpoint, run

folder, stop_at, *overrides = sys.argv[1:]
rank = int(os.environ["RANK"])
drawn, final = [], {}


def watch(runner):
    """Note every λ, and the parameters at the end; stop where asked, on one process only."""
    take = runner.train_loop.run_iter

    def run_iter(i, batch):
        take(i, batch)
        drawn.append(runner.learner.mixer.lam)
        final["parameters"] = checkpoint.digest(dict(runner.learner.net.named_parameters()))
        if rank == 1 and runner.train_loop.step == int(stop_at):
            signal.raise_signal(signal.SIGTERM)

    runner.train_loop.run_iter = run_iter


original = build.Runner.load_or_resume
build.Runner.load_or_resume = lambda self: (original(self), watch(self))
composed = compose(overrides)
check(composed)
try:
    record = run.run(Identity.of(composed))
except Interrupted:
    sys.exit(75)
out = {"drawn": drawn, "hashes": record["hashes"], "history": record["history"], **final}
Path(folder, f"rank{rank}.json").write_text(json.dumps(out))
