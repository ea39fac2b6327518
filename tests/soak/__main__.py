"""`scripts/soak`: long runs against real servers. Each prints its seed, its progress, and in the end what it found."""

import random
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import click

SEED = click.option("--seed", type=int, default=None, help="Repeat a run's choices (its moments, the system chooses).")
KEPT_NAME = "strongroom-soak-"
MODULES = ("evaluation", "conditions", "patterns", "service")
PLANES = ("data", "management", "identity", "graph")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main():
    """Run the server for long under what hurts it. The short form of each run is in the normal suite.

    \b
    scripts/soak kills                # kill -9, hundreds of times, under load
    scripts/soak kills --seed 7       # the same choices again
    scripts/soak kills --help

    The exit code is 0 when all was well.
    """


@main.command()
@click.option("--count", type=click.IntRange(1), default=300, show_default=True, help="How many kills.")
@click.option("--in-flight", type=int, default=None, help="How many must fall while a write is under way [80 %].")
@SEED
def kills(count, in_flight, seed):
    """Kill -9 workers, the parent and the whole server under load; the clients' journals judge.

    No acknowledged write may be lost, no answer be without its record, no change without its record, nothing half made.
    Every version of a key must sign, by the public part that was told when it was made.
    Takes about half a minute for 100 kills.
    """
    from soak.kills import Run

    seed = _chosen(seed)
    needed = count * 8 // 10 if in_flight is None else in_flight
    with _folder() as folder:
        report = Run(folder, seed, _say).play(count)
    _say(report.words())
    reason = "see above" if report.wrong else f"{needed} kills during a write were asked for"
    _end(passed=not report.wrong and report.is_enough(needed), reason=reason)


@main.command()
@click.option("--count", type=click.IntRange(1), default=20, show_default=True, help="How often all keys come due.")
@click.option("--keys", type=click.IntRange(4), default=60, show_default=True, help="How many keys.")
@SEED
def rotations(count, keys, seed):
    """Kill -9 who rotates keys by their policy, the parent and the whole server while keys are due.

    Each key must be rotated once every time that it comes due, with its record, and every version must sign.
    Takes some four seconds for each time. In more than half of the kills some keys must be rotated and others not.
    """
    from soak.rotations import Run

    seed = _chosen(seed)
    with _folder() as folder:
        report = Run(folder, seed, _say, keys=keys).play(count)
    _say(report.words())
    is_enough = report.cut.total() * 2 > report.kills.total()
    _end(passed=not report.wrong and is_enough, reason="see above")


@main.command()
@click.option("--count", type=click.IntRange(1), default=50, show_default=True, help="How many archives.")
@click.option("--killed", type=int, default=None, help="How many commands must be killed on the way [as many].")
@SEED
def backups(count, killed, seed):
    """Back a server up under load and restore each archive, both commands killed again and again.

    What was answered before an archive was begun must be in it, with its record; what came later whole or not at all.
    Takes some five seconds for each archive.
    """
    from soak.backups import Run

    seed = _chosen(seed)
    needed = count if killed is None else killed
    with _folder() as folder:
        report = Run(folder, seed, _say).play(count)
    _say(report.words())
    reason = "see above" if report.wrong else f"{needed} kills were asked for"
    _end(passed=not report.wrong and report.killed.total() >= needed, reason=reason)


@main.command()
@click.option("--count", type=click.IntRange(1), default=100, show_default=True, help="How many failures.")
@SEED
def disks(count, seed):
    """Let the disk fail under load, again and again: full, read-only, broken, in reading too.

    What was answered must be kept, with its record; what was refused with 503 must have changed nothing; service must
    come back by itself. Takes a second or so for each failure. Needs a C compiler.
    """
    from soak import disks as engine

    seed = _chosen(seed)
    with _folder() as folder:
        report = engine.play(folder, count, seed, _say)
    _say(report.words())
    _end(passed=True)


@main.command()
@click.option("--examples", type=click.IntRange(10), default=1500, show_default=True, help="Names of each kind.")
def races(examples):
    """Let clients race for secrets, for vaults, and for secrets in vaults that come and go.

    One order of all requests must explain all answers. Every example is another name, eight rounds of two or three
    clients. There is no seed: what happens first is the system's choice.
    """
    from soak import races as engine

    with served("--workers", "2") as direct:
        for race in (engine.race_for_secrets, engine.race_for_vaults, engine.race_for_vaults_with_a_secret):
            counted = race(direct, examples)
            what = race.__name__.removeprefix("race_for_").replace("_", " ")
            _say(f"{what}: {counted.acts} requests in {counted.rounds} rounds, one order explains all answers")
    _end(passed=True)


@main.command()
@click.option(
    "--examples", type=click.IntRange(1), default=200, show_default=True, help="Requests made at random, each."
)
@click.option("--plane", type=click.Choice(PLANES), multiple=True, help="One of them only.")
@SEED
def fuzz(examples, plane, seed):
    """Let schemathesis make requests of the served OpenAPI documents, with every api-version, and judge the answers.

    No 5xx, nothing undocumented, nothing refused that fits or taken that does not; every operation is reached. Takes
    minutes for each plane. A failure is shown once for each operation, with a curl command that repeats it.
    """
    from soak import fuzzing
    from soak.documented import Reach
    from soak.recipes import document_of

    seed, failures = _chosen(seed), []
    for name in plane or PLANES:
        with served("--workers", "2") as direct:
            reach = Reach(document_of(direct, name))
            found = fuzzing.fuzz(direct, name, reach.document, examples=examples, seed=seed, thorough=True)
        reach.met.update(found.sent)
        failures += [*found.failures.values(), *found.errors, *reach.undocumented, *reach.unreached]
        _say("\n".join([f"{name}: {found.sent.total()} requests", *reach.counts()]))
    _say("\n".join(failures))
    _end(passed=not failures, reason=f"{len(failures)} findings")


@main.command()
@click.option("--minutes", type=click.FloatRange(0.2), default=10, show_default=True, help="How long the load lasts.")
@SEED
def memory(minutes, seed):
    """Measure the memory of idle workers, then whether it stays flat under load that always names something new."""
    from soak import memory as engine

    with served("--workers", "2") as direct:
        idle = [engine.memory_of(pid) for pid in engine.workers_of(direct)]
        for rss, pss in idle:
            _say(f"at rest a worker, or the recorder: {rss:.1f} MiB resident (RSS), {pss:.1f} MiB its share (PSS)")
        folder = Path(direct.facts.caBundle).parents[3]
        courses, answers = engine.watch(direct, folder, seconds=minutes * 60, every=5, seed=_chosen(seed), say=_say)
    for course in courses.values():
        _say(
            f"a worker went from {course.rss[0]:.1f} to {course.rss[-1]:.1f} MiB, {course.rise:+.2f} MiB in 10 minutes"
        )
    _say(f"{answers} answers")
    passed = (
        max(rss for rss, _ in idle) < engine.IDLE_LIMIT and max(c.rise for c in courses.values()) < engine.FLAT_LIMIT
    )
    _end(passed=passed, reason=f"asked for: {engine.IDLE_LIMIT} MiB idle, a trend of {engine.FLAT_LIMIT} MiB at most")


@main.command()
@click.option(
    "--rounds", type=click.IntRange(1), default=20, show_default=True, help="How often each thing is changed."
)
def revocation(rounds):
    """Measure how long after a change on every worker the first request is refused: it must be the very next one.

    Under load an application is disabled, an access policy removed, a vault deleted.
    """
    from soak import revocation as engine

    with _folder() as folder:
        found = engine.measure(folder, rounds)
    for what, measured in found.items():
        _say(f"{what}: {measured.words()}")
    _end(passed=not sum(each.allowed for each in found.values()), reason="requests got through after the answer")


@main.command()
@click.option("--count", type=click.IntRange(1), default=200, show_default=True, help="How many requests of each kind.")
def durable(count):
    """Watch a worker's system calls: no answer may leave before what it tells of was synced to the disk."""
    from soak import durable as engine

    with served("--workers", "1") as direct:
        synced, answers = engine.watch(direct, count)
    _say(f"{synced} of {answers} answers left after an fdatasync that returned since the answer before")
    _end(passed=synced == answers, reason="answers left before they were durable")


@main.command()
@click.option("--module", type=click.Choice(MODULES), multiple=True, help="One of them only.")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Processes at a time.")
@click.option("--every", type=click.IntRange(1), default=1, show_default=True, help="One mutant in so many.")
def mutants(module, workers, every):
    """Change the rules of authorization in one small way after the other: some test must fail each time.

    Survivors are to be killed by a better test; those that change nothing are listed with their reason in
    tests/mutation/unchanged.toml. Takes about ten minutes for all.
    """
    from mutation.running import play

    report = play(_say, modules=module or MODULES, workers=workers, every=every)
    _say(report.words())
    _end(passed=report.passed, reason="survivors, or a list that is not true any more")


@contextmanager
def served(*flags):
    """A rehearsal server, asked directly; it must end in good order and have raised no alarm."""
    from clients.direct import Direct
    from clients.harness import start_server

    with _folder() as folder:
        running = start_server(folder, "--dev", "--no-proxy", *flags)
        direct = Direct(SimpleNamespace(**running.connection))
        try:
            yield direct
        finally:
            direct.close()
            code = running.stop()
        if code or "Traceback" in running.errors or "alarm" in running.errors:
            _end(passed=False, reason=f"the server ended with {code} and told:\n{running.errors[-2000:]}")


def _chosen(seed):
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    _say(f"seed {seed}")
    return seed


@contextmanager
def _folder():
    """A folder that is told and left: a run that failed is looked into there."""
    folder = Path(tempfile.mkdtemp(prefix=KEPT_NAME))
    _say(f"the server and the journals are in {folder}")
    yield folder


_BEGUN = time.monotonic()


def _say(text):
    for line in text.splitlines():
        click.echo(f"{time.monotonic() - _BEGUN:7.1f} s  {line}")


def _end(*, passed, reason=""):
    _say("passed" if passed else f"FAILED: {reason}")
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main(prog_name="scripts/soak")
