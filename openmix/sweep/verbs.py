"""What ``tools/sweep.py`` does, one function a verb; each returns an exit code."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import chdir, suppress
from pathlib import Path

from openmix import lock, places, records
from openmix.errors import ConfigError, DataError
from openmix.sweep import launcher, stop
from openmix.sweep.launcher import LaunchError
from openmix.sweep.manifest import Sweep
from openmix.sweep.reasons import REASONS
from openmix.sweep.settings import Local, Slurm, read, settings, split
from openmix.sweep.status import STATES, Status, survey, write
from openmix.sweep.table import summary, table

WAIT_SECONDS = 1.0


def plan(name: str, words: Sequence[str]) -> int:
    """Show what `launch` would do; write nothing."""
    from openmix.sweep.estimate import estimate

    sweep, chosen, twice = _planned(name, words)
    statuses = _survey(sweep)[0] if sweep.folder.exists() else survey(sweep, {})
    runs = [index for index in to_do(statuses) if not sweep.unsupported(index)]
    count = Counter(status.state for status in statuses)
    print(f"{name}: {len(sweep)} runs, {count['done']} done, {len(runs)} to do", end="")
    print(f"; {twice} of the grid's points are repeated" if twice else "")
    for line in _refused(sweep):
        print(line)
    print(estimate(sweep, runs))
    print(launcher.of(chosen).preview(sweep, runs))
    return 0


def launch(name: str, words: Sequence[str]) -> int:
    """Start what is not done and return at once."""
    sweep, chosen, twice = _planned(name, words)
    _writable(sweep)
    if not (sweep.folder / "manifest.json").exists():
        with lock.held(sweep.folder / "launch.lock", f"a launch of {name}"):
            if (sweep.folder / "manifest.json").exists():
                raise ConfigError(f"{name} was launched by another just now; launch it again")
            sweep = Sweep.create(sweep.folder, sweep.manifest)
        print(f"{name}: {len(sweep)} runs in {sweep.folder}", end="")
        print(f"; {twice} of the grid's points are repeated" if twice else "")
    return _start(sweep, chosen, to_do)


def retry(name: str, words: Sequence[str]) -> int:
    """Start failed runs again: all, or those with ``reason=oom,timeout``."""
    given, others = split(words)
    wanted = set(REASONS)
    for word in others:
        key, _, value = word.partition("=")
        wanted = set(value.split(","))
        if key != "reason" or not wanted <= set(REASONS):
            raise ConfigError(f"'{word}' is not reason=...; reasons: {', '.join(REASONS)}")
    sweep = Sweep.open(Sweep.at(name))
    chosen = _settings_of(sweep, given)

    def failed(statuses: Sequence[Status]) -> list[int]:
        return [i for i, s in enumerate(statuses) if s.state == "failed" and s.reason in wanted]

    return _start(sweep, chosen, failed)


def status(name: str, words: Sequence[str]) -> int:
    """Show how the runs stand: those that need a look, or those in the given states, or all."""
    states = set(words) - {"all"}
    if unknown := states - set(STATES):
        raise ConfigError(f"no state '{min(unknown)}'; states: all, {', '.join(STATES)}")
    sweep = Sweep.open(Sweep.at(name))
    statuses, silent = _survey(sweep)
    wanted = set(STATES) if "all" in words else states
    wanted = wanted or set(STATES) - {"planned", "submitted", "done", "unsupported"}
    if rows := [i for i, each in enumerate(statuses) if each.state in wanted]:
        table(sweep, statuses, rows)
    for kind in silent:
        print(f"{kind} does not answer; this is what the files say")
    if why := stop.reason(sweep):
        print(f"stopped: {why}")
    print(summary(name, statuses))
    return int(any(each.state == "failed" for each in statuses))


def wait(name: str, words: Sequence[str]) -> int:
    """Wait until nothing of the sweep waits or runs, then show it as `status` does."""
    _nothing_more(words)
    sweep = Sweep.open(Sweep.at(name))
    while True:
        statuses, silent = _survey(sweep)
        if not silent and not {"submitted", "running"} & {each.state for each in statuses}:
            break
        time.sleep(WAIT_SECONDS)
    return status(name, [])


def logs(name: str, words: Sequence[str]) -> int:
    """Show the log of a run, named by its number or its key-sSEED."""
    sweep = Sweep.open(Sweep.at(name))
    if len(words) != 1:
        raise ConfigError(f"name one run: python tools/sweep.py logs {name} 0")
    file = sweep.run(sweep.index(words[0])) / "log.txt"
    if not file.exists():
        raise ConfigError(f"run {words[0]} has no log: it was not started")
    sys.stdout.write(file.read_text(encoding="utf-8", errors="replace"))
    return 0


def cancel(name: str, words: Sequence[str]) -> int:
    """Start nothing more of the sweep, and let what runs save itself and end."""
    _nothing_more(words)
    sweep = Sweep.open(Sweep.at(name))
    lines = stop.stop(sweep, "cancelled")
    print(*lines or ["nothing is under way"], sep="\n")
    print(f"to go on: python tools/sweep.py launch {name}")
    return 0


def collect(name: str, words: Sequence[str]) -> int:
    """Render the leaderboard of this sweep's runs into its folder."""
    return board(str(Sweep.at(name)), words)


def board(folder: str, words: Sequence[str]) -> int:
    """The job that renders the leaderboard."""
    sweep = Sweep.open(Path(folder))
    mirror = sweep.folder / "records"
    count = 0
    for index in range(len(sweep)):
        record = sweep.record(index)
        link = mirror / record.relative_to(
            Path(sweep.manifest["cwd"], sweep.identity(index).records)
        )
        if record.is_file():
            count += 1
            link.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                link.symlink_to(record)
        else:
            link.unlink(missing_ok=True)
    if not count:
        raise ConfigError(
            f"no run of {sweep.name} has a record yet: python tools/sweep.py status {sweep.name}"
        )
    from openmix.leaderboard.options import parse

    places = [f"records={mirror}", f"out={sweep.folder / 'leaderboard'}"]
    options = parse([*places, *words])
    from openmix.leaderboard.publish import publish

    outcome = publish(options)
    for problem in outcome.problems:
        print(f"left out: {problem.path}: {problem.reason}", file=sys.stderr)
    print(outcome.text, *outcome.paths, sep="\n")
    return 0


def pool(folder: str, words: Sequence[str]) -> int:
    """The process behind a local sweep."""
    from openmix.sweep.local import Pool

    Pool(Sweep.open(Path(folder)), int(words[0])).work()
    return 0


def work(folder: str, words: Sequence[str]) -> int:
    """The worker that a launcher starts: ``work FOLDER --launch=N RUN...``."""
    from openmix.sweep.work import work

    launch, *runs = words
    number = int(launch.removeprefix("--launch="))
    return work(Sweep.open(Path(folder)), number, [int(run) for run in runs])


def run(folder: str, words: Sequence[str]) -> int:
    """The process of one run."""
    from openmix.sweep.work import run

    return run(Sweep.open(Path(folder)), int(words[0]))


VERBS: dict[str, Callable[[str, Sequence[str]], int]] = {
    verb.__name__: verb
    for verb in (plan, launch, status, wait, logs, retry, cancel, collect, board, pool, work, run)
}


def to_do(statuses: Sequence[Status]) -> list[int]:
    """The runs that `launch` starts."""
    return [index for index, status in enumerate(statuses) if status.to_do()]


def _planned(name: str, words: Sequence[str]) -> tuple[Sweep, Local | Slurm, int]:
    """The sweep of that name, as it stands or as it would be, its launcher, and the repetitions."""
    from openmix.sweep import plan as planning

    folder = Sweep.at(name)
    given, overrides = split(words)
    exists = (folder / "manifest.json").exists()
    if not overrides:
        sweep = Sweep.open(folder)
        return sweep, _settings_of(sweep, given), 0
    chosen = settings(given)
    manifest, twice = planning.plan(overrides)
    if exists:
        sweep = Sweep.open(folder)
        if _same(sweep.manifest) != _same(manifest):
            raise ConfigError(
                f"{name} was planned with other runs ({' '.join(sweep.manifest['overrides'])}); "
                "take another name: runs that are done are not run again"
            )
        return sweep, _settings_of(sweep, given), twice
    return Sweep(folder, manifest), chosen, twice


def _same(manifest: dict) -> list:
    return [(manifest["settings"][number]["key"], seed) for number, seed, _ in manifest["runs"]]


def _settings_of(sweep: Sweep, given: Sequence[str]) -> Local | Slurm:
    """The settings asked for; those of the last launch if none are."""
    past = launcher.launches(sweep)
    return read(past[-1]["launcher"]) if past and not given else settings(given)


def _survey(sweep: Sweep) -> tuple[list[Status], list[str]]:
    held, silent = launcher.held(sweep)
    return survey(sweep, held), silent


def _start(
    sweep: Sweep, chosen: Local | Slurm, choose: Callable[[Sequence[Status]], list[int]]
) -> int:
    """Launch what ``choose`` picks. One launch of a sweep at a time."""
    with lock.held(sweep.folder / "launch.lock", f"a launch of {sweep.name}"):
        stop.clear(sweep)
        statuses, silent = _survey(sweep)
        if silent:
            raise LaunchError(
                f"{silent[0]} does not answer; what it has is unknown. Try again later"
            )
        _check_results(sweep, statuses)
        _record_refused(sweep, statuses)
        runs = [index for index in choose(statuses) if not sweep.unsupported(index)]
        if not runs:
            print(f"nothing to start\n{summary(sweep.name, statuses)}")
            return 0
        past = launcher.launches(sweep)
        number = past[-1]["number"] + 1 if past else 0
        tree = chosen.model_dump()
        account = {"number": number, "time": time.time(), "launcher": tree, "runs": runs}
        launcher.note(sweep, {**account, "jobs": []})
        print(*launcher.of(chosen).start(sweep, runs, number), sep="\n")
    print(f"python tools/sweep.py status {sweep.name}")
    return 0


def _refused(sweep: Sweep) -> list[str]:
    """A line for each kind of run that cannot run."""
    why = Counter(filter(None, (sweep.unsupported(index) for index in range(len(sweep)))))
    return [f"{count} unsupported: {reason}" for reason, count in why.items()]


def _check_results(sweep: Sweep, statuses: Sequence[Status]) -> None:
    """Refuse to go on beside results of other data or code. Raises ConfigError."""
    with chdir(sweep.manifest["cwd"]):
        for index, status in enumerate(statuses):
            # Data that lie on other machines alone are compared there, by the runs themselves.
            with suppress(DataError):
                if status.state == "done":
                    sweep.identity(index).result()


def _record_refused(sweep: Sweep, statuses: Sequence[Status]) -> None:
    """Put on record what cannot run; no process is needed for that."""
    code = records.code()
    with chdir(sweep.manifest["cwd"]):
        for index, status in enumerate(statuses):
            why = sweep.unsupported(index)
            if why and status.state != "unsupported":
                identity = sweep.identity(index)
                identity.write(identity.record("unsupported", why, facts={}, code=code))
                write(sweep.run(index), Status("unsupported", message=why))


def _writable(sweep: Sweep) -> None:
    """Refuse to start what could not keep its results. Raises ConfigError."""
    cwd, paths = sweep.manifest["cwd"], sweep.identity(0).config["paths"]
    run = {f"paths.{name}": Path(cwd, paths[name]) for name in ("records", "runs")}
    places.try_writing({"OPENMIX_SWEEPS": sweep.folder, **run})


def _nothing_more(words: Sequence[str]) -> None:
    if words:
        raise ConfigError(f"'{words[0]}' is not understood here")
