"""What stays of a finished run: its weights, its record, and nothing to go on from."""

from safetensors.torch import save

from openmix import atomic
from openmix.identity import Identity
from openmix.runner import checkpoint
from openmix.runner.build import Runner


def keep(runner: Runner, identity: Identity, record: dict) -> None:
    """Write what ``runner.keep`` asks for and the record, then drop the checkpoints.

    Raises OSError where the disk refuses; the checkpoints then stay.
    """
    what = identity.config["runner"]["keep"]
    try:
        if what != "none":
            with atomic.replacing(runner.folder / "model.safetensors") as file:
                file.write(save(_tested(runner)))
        identity.write(record)
    except OSError as error:
        raise OSError(
            f"the run is trained, but its result cannot be written ({error.strerror}): free some "
            "space, and the same command goes on from the last checkpoint",
        ) from error
    if what != "checkpoint":
        checkpoint.clear(runner.folder)


def _tested(runner: Runner) -> dict:
    """The weights that were tested; copies, since safetensors refuses those that share memory."""
    net = runner.learner.net if runner.ema is None else runner.ema.module
    return {
        name: value.detach().to("cpu", copy=True).contiguous()
        for name, value in net.state_dict().items()
    }
