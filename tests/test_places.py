"""Places are tried before anything is computed, and left as they were."""

import errno
import os

import pytest

from openmix import command, places
from openmix.errors import ConfigError

SMALL = ("+exp=digits", "epochs=1", "dataset.train_limit=64")


@pytest.fixture
def train(tmp_path, monkeypatch, capsys):
    """``train(*words)``: exit code and last line of a command that must not get to training."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("openmix.runner.run.run", lambda *parts: pytest.fail("it trained"))

    def call(*words, grid=False):
        code = command.train([*SMALL, *words], grid)
        return code, capsys.readouterr().err.strip()

    return call


@pytest.mark.parametrize("name", ["runs", "records"])
@pytest.mark.parametrize("grid", [(), ("seed=0,1", "mixup=none,transmix")], ids=["run", "grid"])
def test_a_place_that_cannot_be_written_to_is_told_in_one_line(name, grid, train, tmp_path):
    (tmp_path / "file").touch()
    code, told = train(f"paths.{name}=file/below", *grid, grid=bool(grid))
    assert code == 2 and told.startswith(f"error: cannot write in {tmp_path}/file/below/digits/")
    assert told.endswith(f": Not a directory; set paths.{name} to a folder that can be written to")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_and_a_dangling_link_are_found(tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(ConfigError, match="link/x: No such file"):
        places.try_writing({"paths.runs": tmp_path / "link" / "x"})

    def full(dir):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(places.tempfile, "TemporaryFile", full)
    with pytest.raises(ConfigError, match=r"No space left on device; set paths.runs"):
        places.try_writing({"paths.runs": tmp_path / "a" / "b"})


def test_a_place_that_can_be_written_to_is_left_as_it_was(tmp_path):
    places.try_writing({"paths.runs": tmp_path / "a" / "b", "paths.records": tmp_path})
    assert not list(tmp_path.iterdir())


def test_a_grid_ends_by_the_code_of_what_was_refused(tmp_path, monkeypatch, capsys):
    """Unlike a mixup that cannot train a backbone, which is an answer."""
    monkeypatch.chdir(tmp_path)

    def refuse(identity, report):
        raise ConfigError(f"no data for seed {identity.seed}")

    monkeypatch.setattr("openmix.runner.run.run", refuse)
    assert command.train([*SMALL, "mixup=transmix"], True) == 0
    assert command.train([*SMALL, "mixup=none,transmix", "seed=0,1"], True) == 2
    assert capsys.readouterr().err.count("error: no data for seed") == 2
    assert not list(tmp_path.rglob("*.json"))  # what is refused writes nothing
