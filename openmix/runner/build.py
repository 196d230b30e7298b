"""From a checked config to mmengine's Runner."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mmengine.runner
import timm.utils
import torch
from hydra.utils import instantiate
from mmengine.hooks import Hook
from torch import nn

from openmix.belongs import Traces
from openmix.config.targets import RUNNERS_OWN
from openmix.data import pipeline
from openmix.data.pipeline import Data
from openmix.errors import ConfigError, Unsupported
from openmix.mixups.base import Mixer
from openmix.reason import one_line
from openmix.runner import checkpoint, distributed, optimize, own_hooks, resume, trial
from openmix.runner.hooks import Average, History, Schedule, Watch
from openmix.runner.learner import DistributedLearner, Learner
from openmix.runner.loop import TrainLoop, ValLoop, seed_torch
from openmix.runner.progress import Report, progress
from openmix.seeding import derive
from openmix.tasks import Classification

_INITIALISATION = 1 << 32  # a process number that no process has


class Runner(mmengine.runner.Runner):
    """mmengine's Runner with openmix's checkpoints in place of its own.

    Its resume cannot read its own files on torch >= 2.6 and restores no random state; its dump of
    the environment and the moving of the model are done elsewhere.
    """

    learner: Learner
    ema: timm.utils.ModelEmaV3 | None
    watch: Watch
    memory: own_hooks.Memory
    identity: str
    traces: Traces
    history: list[dict]
    folder: Path

    def load_or_resume(self) -> None:
        """Go on from the newest sound checkpoint of the run's folder, if there is one."""
        self.restarts, self.seconds_before, self.test_seconds = 0, 0.0, 0.0
        self.began = time.monotonic()
        state = checkpoint.newest(self.folder)
        if state is not None:
            resume.restore(self, state)

    def seconds(self) -> float:
        """Time spent on the run, over all its restarts, without what a kill threw away."""
        return self.seconds_before + time.monotonic() - self.began

    def call_hook(self, fn_name: str, **kwargs: object) -> None:
        """Call the hooks that do something at ``fn_name``; mmengine calls every empty method."""
        calls = self.__dict__.setdefault("_calls", {})
        if fn_name not in calls:
            calls[fn_name] = [
                getattr(hook, fn_name)
                for hook in self._hooks
                if fn_name in hook.get_triggered_stages() or fn_name not in Hook.stages
            ]
        for call in calls[fn_name]:
            call(self, **kwargs)

    def wrap_model(self, model_wrapper_cfg: object, model: nn.Module) -> nn.Module:
        return model

    def _log_env(self, env_cfg: dict) -> None:
        pass

    def dump_config(self) -> None:
        pass


def arguments(config: Mapping, group: str) -> dict:
    """A group's node without the entries that are not arguments of its target."""
    return {k: v for k, v in config[group].items() if k not in RUNNERS_OWN.get(group, ())}


def prepare_torch(settings: Mapping) -> torch.device:
    """Threads, determinism and processes; returns the device of this process."""
    if settings["threads"]:
        torch.set_num_threads(settings["threads"])
    if settings["deterministic"]:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(settings["deterministic"])
    torch.backends.cudnn.benchmark = not settings["deterministic"]
    return distributed.start(settings["device"])


@distributed.one_failure()
def build_data(config: Mapping, device: torch.device) -> Data:
    """The loaders of this process."""
    settings = config["runner"]
    share = settings["accumulate"] * distributed.world()
    if config["batch_size"] % share:
        raise ConfigError(
            f"batch_size={config['batch_size']} does not divide into runner.accumulate="
            f"{settings['accumulate']} x {distributed.world()} processes; use a multiple of {share}"
        )
    loaded = pipeline.build(
        config["dataset"],
        config["augment"],
        batch_size=config["batch_size"] // share,
        eval_batch_size=config["evaluation"]["batch_size"],
        device=device,
        seed=config["seed"],
        rank=distributed.rank(),
        world=distributed.world(),
        workers=settings["workers"],
    )
    if loaded.sizes["train"] < config["batch_size"]:
        raise ConfigError(
            f"batch_size={config['batch_size']} is more than the {loaded.sizes['train']} training "
            "images; lower it"
        )
    return loaded


def build_networks(config: Mapping) -> tuple[nn.Module, Mixer]:
    """Backbone and mixer, initialised from the seed alone.

    Raises Unsupported where the mixer cannot work with the backbone.
    """
    net = build_network(config)
    # A stream of its own: the mixer's weights must not move the backbone's, nor each other.
    seed_torch(derive(config["seed"], _INITIALISATION, 1))
    mixer = _made(config, "mixup")
    mixer.setup(net)
    return net, mixer


def build_network(config: Mapping) -> nn.Module:
    """The backbone alone, initialised from the seed."""
    seed_torch(derive(config["seed"], _INITIALISATION))
    return _made(config, "backbone")


def _made(config: Mapping, group: str) -> Any:
    """What a group names; ConfigError with the line that says why it cannot be built."""
    given = arguments(config, group)
    try:
        return instantiate(given, _convert_="all")
    except Exception as error:
        # An error about a file need not name it.
        files = {k: v for k, v in given.items() if isinstance(v, str) and k != "_target_"}
        said = "".join(f" {group}.{name}={value}" for name, value in files.items())
        raise ConfigError(f"{group} cannot be built{said}: {one_line(error)}") from error


def build(
    config: Mapping,
    data: Data,
    device: torch.device,
    folder: Path,
    *,
    identity: str,
    title: str,
    traces: Traces,
    backends: list[dict],
    report: Path | None = None,
) -> Runner:
    """The Runner of one run, ready to ``train()``; it resumes from ``folder`` by itself.

    ``backends`` are mmengine's visualiser back ends (wandb, TensorBoard); ``report`` is a file that
    is kept up to date with how far the run is.
    """
    settings = config["runner"]
    memory = own_hooks.Memory(own_hooks.build(settings["hooks"]))
    if not checkpoint.exists(folder):
        _try(config, data, device, title)
    net, mixer = _on(device, config, *build_networks(config))
    ema = timm.utils.ModelEmaV3(net, decay=settings["ema"]) if settings["ema"] else None
    if settings["compile"]:
        net.compile()
    learner = _learner(config, net, mixer, data)
    wrapper = _wrapper(config, learner, device, settings["accumulate"])
    watch = Watch(settings["log_every"], mixer, title)
    hooks = [Schedule(_made(config, "schedule")), watch, History()]
    hooks += [Average()] if ema else []
    hooks += [progress(f"{title}  seed {config['seed']}")] if distributed.rank() == 0 else []
    hooks += [Report(report)] if report and distributed.rank() == 0 else []
    hooks += [*memory.hooks, memory, resume.Resume(folder, settings["checkpoint_seconds"])]
    runner = Runner(
        model=_wrap(learner, device),
        work_dir=str(folder),
        train_dataloader=data.train,
        train_cfg=dict(
            type=TrainLoop,
            max_epochs=config["epochs"],
            seed=config["seed"],
            accumulate=settings["accumulate"],
            eval_every=settings["eval_every"],
        ),
        optim_wrapper=wrapper,
        val_dataloader={"": data.test} | ({"val_": data.val} if data.val else {}),
        val_cfg=dict(type=ValLoop, bins=config["evaluation"]["bins"]),
        val_evaluator=[],
        default_hooks=dict.fromkeys(
            ["runtime_info", "timer", "sampler_seed", "logger", "param_scheduler", "checkpoint"]
        ),
        custom_hooks=hooks,
        visualizer=dict(type="Visualizer", vis_backends=backends, save_dir=str(folder)),
        randomness=dict(seed=config["seed"]),
        env_cfg={},
        log_level="WARNING",
        # mmengine keeps its managers by name for the life of the process.
        experiment_name=f"{identity}-{time.monotonic_ns()}",
    )
    runner.learner, runner.ema, runner.watch, runner.memory = learner, ema, watch, memory
    runner.identity, runner.folder, runner.history = identity, folder, []
    runner.traces = traces
    return runner


def _try(config: Mapping, data: Data, device: torch.device, title: str) -> None:
    """Try all that a step needs, on networks of its own. Raises ConfigError or Unsupported."""
    with trial.unseen(device):
        try:
            net, mixer = _on(device, config, *build_networks(config))
        except Unsupported:  # is it the network that is wrong?
            trial.network(config, *_on(device, config, build_network(config)), data)
            raise
        trial.network(config, net, data)
        learner = _learner(config, net, mixer, data)
        trial.steps(learner, _wrapper(config, learner, device), data, title)


def _on(device: torch.device, config: Mapping, net: nn.Module, *others: nn.Module) -> list:
    """The network as its processes and their devices want it, and the others beside it."""
    if config["runner"]["sync_bn"] and distributed.world() > 1:
        net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    return [net.to(device, memory_format=_layout(config)), *(m.to(device) for m in others)]


def _learner(config: Mapping, net: nn.Module, mixer: Mixer, data: Data) -> Learner:
    return Learner(
        net,
        mixer,
        Classification(config["dataset"]["num_classes"]),
        _made(config, "loss"),
        data.normalise,
        _layout(config),
    )


def _layout(config: Mapping) -> torch.memory_format:
    last = config["runner"]["channels_last"]
    return torch.channels_last if last else torch.contiguous_format


def _wrapper(
    config: Mapping, learner: Learner, device: torch.device, accumulate: int = 1
) -> optimize.Precision:
    factory = _made(config, "optimizer")
    try:
        return optimize.build(
            learner,
            factory,
            config["optimizer"].get("decay_all", True),
            device=device,
            amp=config["runner"]["amp"],
            accumulate=accumulate,
            clip_grad=config["runner"]["clip_grad"],
        )
    except (TypeError, ValueError) as error:
        raise ConfigError(f"optimizer cannot be built: {one_line(error)}") from error


def _wrap(learner: Learner, device: torch.device) -> nn.Module:
    if distributed.world() == 1:
        return learner
    # Only a mixer's own parameters may sit out a step.
    idle = any(p.requires_grad for p in learner.mixer.parameters())
    return DistributedLearner(
        learner,
        device_ids=[device.index] if device.type == "cuda" else None,
        broadcast_buffers=False,
        find_unused_parameters=idle,
    )
