"""Fetching a standard data set through torchvision."""

from openmix.errors import DataError


def download(name: str, root: str) -> None:
    """Let torchvision.datasets.<name> fetch its files below `root`; DataError where it cannot."""
    try:
        import torchvision
    except (ImportError, RuntimeError) as error:
        raise DataError(
            f"downloading {name} needs torchvision in the build of the installed torch; "
            "pip install torchvision, or put the files there by hand"
        ) from error
    try:
        getattr(torchvision.datasets, name)(root, download=True)
    except (OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{name} could not be downloaded to {root} ({reason}); "
            "check the network, or put the files there by hand"
        ) from error
