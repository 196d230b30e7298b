"""A process of a distributed test, started by torchrun: two_learners.py FOLDER PROB MIXUP...

Takes six steps with each mixup, which sits out a step with probability 1 - PROB, on images and
draws of its own. Leaves in FOLDER/rankR.json, for each, digests of the parameters that learn and of
the others, and the names of those no gradient reached.
"""

import json
import sys
from pathlib import Path

import torch
from omegaconf import OmegaConf

from openmix.config import compose
from openmix.losses import SoftCrossEntropy
from openmix.mixups.choice import Choice
from openmix.runner import build, checkpoint, distributed
from openmix.runner.learner import Learner
from openmix.tasks import Classification

folder, prob, *mixups = sys.argv[1:]
device = distributed.start("cpu")
result = {}
for mixup in mixups:
    composed = compose(["+exp=digits", f"mixup={mixup}"])
    net, mixer = build.build_networks(OmegaConf.to_container(composed.config, resolve=True))
    mixer = Choice([mixer], prob=float(prob))
    learner = Learner(net, mixer, Classification(10), SoftCrossEntropy(), lambda raw: raw)
    model = build._wrap(learner, device)
    parameters = dict(learner.named_parameters())
    trained = {name: p for name, p in parameters.items() if p.requires_grad}
    optimizer, idle = torch.optim.SGD(trained.values(), lr=0.1, momentum=0.9), set(trained)
    for step in range(6):
        torch.manual_seed(10 * step + distributed.rank())
        losses = model(torch.randn(8, 1, 8, 8), torch.randint(10, (8,)))
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        idle -= {name for name, p in trained.items() if p.grad is not None and p.grad.any()}
    others = {name: p for name, p in parameters.items() if name not in trained}
    result[mixup] = {
        "trained": checkpoint.digest(trained),
        "others": checkpoint.digest(others),
        "idle": sorted(idle),
    }
Path(folder, f"rank{distributed.rank()}.json").write_text(json.dumps(result))
distributed.stop()
