"""The useful line of an error."""

import pytest
from hydra.errors import InstantiationException

from openmix.errors import ConfigError, Diverged
from openmix.reason import one_line

STATE = 'Error(s) in loading state_dict for ResNet:\n\tMissing key(s) in state_dict: "fc.weight".\n'
WORKER = """Caught ValueError in DataLoader worker process 0.
Original Traceback (most recent call last):
  File "worker.py", line 1, in fetch
ValueError: not a picture
"""


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ConfigError("seed is wrong;\n  write seed=0"), "seed is wrong; write seed=0"),
        (Diverged(), "Diverged"),
        (OSError(28, "No space left", "x.pt"), "[Errno 28] No space left: 'x.pt'"),
        (FileNotFoundError(), "FileNotFoundError"),
        (KeyError("fc"), "KeyError: 'fc'"),
        (AssertionError(), "AssertionError"),
        (
            RuntimeError(STATE),
            "RuntimeError: Error(s) in loading state_dict for ResNet: Missing key(s) in "
            'state_dict: "fc.weight".',
        ),
        (RuntimeError("CUDA error: oom\nSome hint.\n"), "RuntimeError: CUDA error: oom"),
        (RuntimeError("\n\nonly heading:\n"), "RuntimeError: only heading:"),
        (ValueError(WORKER), "ValueError: not a picture"),
    ],
    ids=str,
)  # fmt: skip
def test_the_line_that_says_something(error, told):
    assert one_line(error) == told


def test_hydras_account_is_left_out():
    try:
        raise InstantiationException("Error in call to target 'x':\nfull_key: y") from OSError(
            "gone"
        )
    except InstantiationException as error:
        assert one_line(error) == "gone"


def test_the_place_is_the_last_in_code_of_ones_own():
    import torch

    with pytest.raises(TypeError) as caught:
        torch.nn.functional.one_hot("no tensor")
    assert one_line(caught.value).endswith(f"test_reason.py:{caught.tb.tb_lineno})")
