"""The life of one run: trained, interrupted, resumed, and put on record."""

import resource
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import torch
from safetensors.torch import save_file

from openmix import belongs, lock, records
from openmix.backbones import parameters
from openmix.data.pipeline import Data
from openmix.errors import ConfigError, Interrupted, Unsupported
from openmix.identity import Identity
from openmix.reason import one_line
from openmix.runner import build, checkpoint, distributed, loggers
from openmix.runner.build import Runner
from openmix.runner.resume import Resume


def run(identity: Identity, report: Path | None = None) -> dict:
    """Train a run from wherever it stands and return its record.

    ``report`` is a file that is kept up to date with how far the run is.

    Raises:
        ConfigError, Unsupported: the request cannot be run; nothing was recorded.
        Interrupted: a signal stopped it after it had saved itself; nothing was recorded.
        Whatever else training raises: recorded first.
    """
    config, started = identity.config, datetime.now(UTC).isoformat(timespec="seconds")
    code, sources = records.code(), belongs.sources(config)  # what runs, whatever is edited later
    device = build.prepare_torch(config["runner"])
    main = distributed.rank() == 0
    try:
        data = build.build_data(config, device)
        traces = {"data": data.digest.as_dict(), "sources": sources}
        origin = {"started": started, "code": code, "sources": sources}
        with lock.held(identity.folder / "lock", "this run") if main else nullcontext():
            if config["force"] and main:
                checkpoint.clear(identity.folder)
            distributed.barrier()
            try:
                runner = _train(identity, data, device, traces, report)
                results = _results(runner, data, device)
            except (ConfigError, Unsupported, Interrupted):
                raise
            except Exception as error:
                if main:
                    told = {"reason": one_line(error), "facts": _facts(device)}
                    identity.write(identity.record("failed", **told, **origin))
                raise
            record = identity.record("done", facts=_facts(device), **origin, **results)
            if main:
                _keep(runner, config["runner"]["keep"])
                identity.write(record)
                if config["runner"]["keep"] != "checkpoint":
                    checkpoint.clear(identity.folder)
        return record
    finally:
        distributed.stop()


@distributed.one_failure()
def _train(
    identity: Identity,
    data: Data,
    device: torch.device,
    traces: belongs.Traces,
    report: Path | None,
) -> Runner:
    config, folder = identity.config, identity.folder
    runner = build.build(
        config,
        data,
        device,
        folder,
        identity=str(identity),
        title=identity.title,
        traces=traces,
        backends=loggers.backends(config["logger"], identity),
        report=report,
    )
    try:
        runner.train()
        if config["runner"]["keep"] == "checkpoint":
            _hook(runner, Resume).save(runner)
        return runner
    finally:
        for hook in runner.hooks:
            if hasattr(hook, "close"):
                hook.close()
        runner.visualizer.close()


def _hook(runner: Runner, kind: type) -> object:
    return next(hook for hook in runner.hooks if isinstance(hook, kind))


def _results(runner: Runner, data: Data, device: torch.device) -> dict:
    """What a finished run has to say: metrics, cost, hashes."""
    loop, wrapper = runner.train_loop, runner.optim_wrapper
    seconds = runner.seconds() - runner.test_seconds
    ema = runner.ema and runner.ema.module.state_dict()
    images = loop.iter * data.train.order.batch_size * distributed.world()
    if device.type == "cuda":
        memory = torch.cuda.max_memory_allocated(device) / 2**20
    else:
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return {
        "metrics": records.select(runner.history, val=data.val is not None),
        "history": runner.history,
        "cost": {
            "images_per_second": images / max(seconds, 1e-9),
            "peak_memory_mb": memory,
            "train_seconds": seconds,
            "parameters": parameters(runner.learner.net),
            "steps": loop.step,
            "world_size": distributed.world(),
        },
        "data": {"checksum": data.checksum, **data.sizes, "source": data.digest.as_dict()},
        "hashes": {
            "weights": checkpoint.digest(runner.learner.net.state_dict()),
            "optimizer": checkpoint.digest(wrapper.optimizer.state_dict()),
            "ema": checkpoint.digest(ema) if ema else "",
        },
        "restarts": runner.restarts,
    }


def _keep(runner: Runner, what: str) -> None:
    """Leave the weights that were tested in ``model.safetensors``, unless told not to."""
    if what == "none":
        return
    net = runner.learner.net if runner.ema is None else runner.ema.module
    weights = {name: value.detach().cpu().contiguous() for name, value in net.state_dict().items()}
    save_file(weights, runner.folder / "model.safetensors")


def _facts(device: torch.device) -> dict:
    cuda = device.type == "cuda"
    return {
        "cuda": torch.version.cuda if cuda else None,
        "cudnn": torch.backends.cudnn.version() if cuda else None,
        "device": torch.cuda.get_device_name(device) if cuda else "cpu",
        "threads": torch.get_num_threads(),
    }
