"""What can go wrong with a run, told in one line with its remedy."""

import signal


class ConfigError(ValueError):
    """The configuration cannot be run as it stands. Tools end with exit code 2."""


class DataError(ConfigError):
    """A data set is missing or damaged; the message names the file and the command that gets it."""


class Busy(ConfigError):
    """Another process has it already; the message says which."""


class Unsupported(ValueError):
    """This mixup cannot train this backbone; the message says what is missing."""


class Diverged(RuntimeError):
    """The loss or the weights are no longer finite; the message says where it began."""


class Elsewhere(RuntimeError):
    """Another process of a distributed run has failed; the message is that process's line."""


class Interrupted(Exception):
    """The run was told to stop and has saved itself; ``signal`` is the number of the signal."""

    def __init__(self, number: int):
        super().__init__(f"stopped by {signal.Signals(number).name}; the same command goes on")
        self.signal = number
