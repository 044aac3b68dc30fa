#!/usr/bin/env python3
"""Measure DBOS, one of the peer engines, on SQLite or on PostgreSQL.

    CACHE_DIR/dbos/bin/python dbos_bench.py --db sqlite
    CACHE_DIR/dbos/bin/python dbos_bench.py --db postgres

CACHE_DIR is the directory that install_peers.sh filled. With --db postgres the
script runs itself again under with_postgres.sh, which has to lie beside it.
Progress goes to standard error; the last line of standard output is one JSON
object.

DBOS is a library: the engine lives in the process that runs the steps. So the
driver starts worker processes, which are this file again with --role. The
databases keep their shipped settings. All times are taken from the clock that
is common to all processes of the machine.

  seq          call of a workflow with N empty steps until its result, over N.
               N = 1 therefore includes starting and finishing a workflow.
  concurrent   16 such workflows of 40 steps at once, finished steps per second,
               median over the rounds.
  big          one workflow with --big steps on a fresh database: its time and
               the memory of the worker (and of PostgreSQL) at its end, pages
               shared between processes counted once. Then the worker is killed
               and started again: time until the next step body runs.
               PostgreSQL stays up. The number of steps is in "restart_events";
               "steps10k_s" goes with it.
  duplicates   trials in which a step body that was running when the worker was
               killed had its effect a second time after the restart.
"""

import argparse
import contextlib
import importlib.metadata
import json
import math
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

CONCURRENT_WORKFLOWS = 16
CONCURRENT_STEPS = 40
SEQUENCES = (1, 40, 500)
DEADLINE_S = 120.0  # for any single thing we wait for, except long runs
SLOWEST_STEP_S = 0.1  # long runs get this much per step on top


def now() -> int:
    """Nanoseconds, with the same origin in every process."""
    return time.monotonic_ns()


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be a positive integer")
    return value


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure DBOS.")
    parser.add_argument("--db", choices=("sqlite", "postgres"), required=True)
    parser.add_argument("--reps", type=positive, default=20)
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--big", type=positive, default=10000)
    parser.add_argument("--trials", type=positive, default=5)
    # The rest is used by the driver when it starts a worker.
    for name in ("--role", "--url", "--notes", "--id"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    parser.add_argument("--hold", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


# ----------------------------------------------------------------- worker


def work(options: argparse.Namespace) -> None:
    """Launch DBOS, which also recovers unfinished workflows, and play one role."""
    from dbos import DBOS, SetWorkflowID

    bodies = 0  # step bodies that this process has run so far

    # The notes file is how step bodies talk to the driver. One line per note:
    # a name, the time, and the number of step bodies.
    def note(name: str) -> None:
        with open(options.notes, "a") as notes:
            notes.write(f"{name} {now()} {bodies}\n")

    @DBOS.step()
    def empty_step() -> None:
        nonlocal bodies
        bodies += 1

    @DBOS.step()
    def next_step() -> None:
        note("next")

    # With --hold the step body never returns after it has had its effect.
    @DBOS.step()
    def fragile_step(effect: str) -> None:
        note(effect)
        if options.hold:
            threading.Event().wait()

    @DBOS.workflow()
    def steps(count: int) -> None:
        for _ in range(count):
            empty_step()

    # With --hold the workflow stops between two steps and waits to be killed.
    # The stop is not a step, so a worker without --hold replays past it.
    @DBOS.workflow()
    def big(count: int) -> None:
        for _ in range(count):
            empty_step()
        if options.hold:
            note("reached")
            threading.Event().wait()
        next_step()

    @DBOS.workflow()
    def fragile(effect: str) -> None:
        fragile_step(effect)

    DBOS(
        config={
            "name": "peer-bench",
            "system_database_url": options.url,
            "application_version": "1",  # recovery only takes up its own version
            "log_level": "ERROR",
        }
    )
    DBOS.launch()

    if options.role == "measure":
        for _ in range(5):  # warm-up, not measured
            steps(CONCURRENT_STEPS)
        print(json.dumps(measure(DBOS, steps, options)), flush=True)
    elif options.role == "big":
        note("started")
        with SetWorkflowID(options.id):
            DBOS.start_workflow(big, options.big).get_result()
    elif options.role == "fragile":
        with SetWorkflowID(options.id):
            DBOS.start_workflow(fragile, options.id).get_result()
    elif options.role == "resume":
        DBOS.retrieve_workflow(options.id).get_result()
    os._exit(0)  # the work is done; background threads need no orderly end


def measure(dbos, steps, options: argparse.Namespace) -> dict:
    seq = {}
    for count in SEQUENCES:
        per_step = []
        for _ in range(options.reps):
            started = now()
            steps(count)
            per_step.append((now() - started) / 1000 / count)
        seq[str(count)] = {
            "p50_us": round(quantile(per_step, 0.50), 1),
            "p99_us": round(quantile(per_step, 0.99), 1),
        }
        progress(f"{count} steps: {seq[str(count)]}")

    rates = []
    for _ in range(options.rounds):
        started = now()
        handles = [
            dbos.start_workflow(steps, CONCURRENT_STEPS)
            for _ in range(CONCURRENT_WORKFLOWS)
        ]
        for handle in handles:
            handle.get_result()
        rates.append(CONCURRENT_WORKFLOWS * CONCURRENT_STEPS * 1e9 / (now() - started))
    return {"seq": seq, "concurrent_steps_per_s": round(quantile(rates, 0.5), 1)}


def quantile(samples: list, q: float) -> float:
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]


# ----------------------------------------------------------------- driver


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Driver:
    def __init__(self, options: argparse.Namespace, directory: pathlib.Path):
        self.options = options
        self.directory = directory
        self.notes_file = directory / "notes"
        self.notes_file.touch()
        self.log = directory / "worker.log"
        self.children: set[subprocess.Popen] = set()

    def url(self, database: str) -> str:
        if self.options.db == "sqlite":
            return f"sqlite:///{self.directory}/{database}.sqlite"
        return f"{os.environ['PEER_PG_URL']}/{database}"

    def start(self, role: str, database: str, *extra: str) -> subprocess.Popen:
        # setpriv --pdeathsig: if the driver is killed outright, the kernel kills
        # the worker. setpriv then becomes the worker, so the process id is right.
        command = ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, __file__]
        command += ["--db", self.options.db, "--role", role, "--url", self.url(database)]
        command += ["--notes", str(self.notes_file), "--big", str(self.options.big)]
        command += ["--reps", str(self.options.reps), "--rounds", str(self.options.rounds)]
        with open(self.log, "a") as log:
            child = subprocess.Popen(
                [*command, *extra],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if role == "measure" else log,
                stderr=None if role == "measure" else log,
                text=True,
            )
        self.children.add(child)
        return child

    def kill(self, child: subprocess.Popen) -> None:
        child.kill()
        child.wait()
        self.children.discard(child)

    def finish(self, child: subprocess.Popen, deadline_s: float = DEADLINE_S) -> str:
        """Wait for a worker to end well and return what it printed."""
        output, _ = child.communicate(timeout=deadline_s)
        self.children.discard(child)
        if child.returncode != 0:
            raise RuntimeError(f"a worker failed:\n{self.log.read_text()[-4000:]}")
        return output

    def notes(self, name: str) -> list[tuple[int, int]]:
        lines = (line.split(" ") for line in self.notes_file.read_text().splitlines(True))
        return [
            (int(fields[1]), int(fields[2]))
            for fields in lines
            if fields[0] == name and fields[-1].endswith("\n")
        ]

    def noted(
        self, name: str, child: subprocess.Popen, deadline_s: float = DEADLINE_S
    ) -> tuple[int, int]:
        """The first note of that name, once the worker has written it."""
        deadline = now() + deadline_s * 1e9
        while True:
            ended = child.poll() is not None  # asked first: its last note counts
            if found := self.notes(name):
                return found[0]
            if ended or now() > deadline:
                log = self.log.read_text()[-4000:]
                raise RuntimeError(f'no note "{name}" from a worker:\n{log}')
            time.sleep(0.002)

    def measure(self) -> dict:
        total = sum(SEQUENCES) * self.options.reps
        total += CONCURRENT_WORKFLOWS * CONCURRENT_STEPS * self.options.rounds
        child = self.start("measure", "bench_small")
        output = self.finish(child, DEADLINE_S + total * SLOWEST_STEP_S)
        return json.loads(output.splitlines()[-1])

    def big(self) -> dict:
        child = self.start("big", "bench_big", "--id", "big", "--hold")
        longest = DEADLINE_S + self.options.big * SLOWEST_STEP_S
        reached, _ = self.noted("reached", child, longest)
        started, _ = self.notes("started")[0]
        memory = memory_mb(child.pid)
        if self.options.db == "postgres":
            memory += sum(map(memory_mb, with_children(int(os.environ["PEER_PG_PID"]))))
        self.kill(child)

        restarted = now()
        child = self.start("resume", "bench_big", "--id", "big")
        next_at, bodies = self.noted("next", child)
        self.finish(child)
        # All finished steps must come from the database. If one had run again,
        # the time above would not be the time to the next effect.
        if bodies != 0:
            raise RuntimeError(f"{bodies} finished steps ran again")
        return {
            "restart_ms": round((next_at - restarted) / 1e6, 1),
            "restart_events": self.options.big,
            "steps10k_s": round((reached - started) / 1e9, 3),
            "rss_mb": round(memory, 1),
        }

    def count_duplicates(self) -> int:
        duplicates = 0
        for trial in range(1, self.options.trials + 1):
            effect = f"effect-{trial}"
            child = self.start("fragile", "bench_big", "--id", effect, "--hold")
            self.noted(effect, child)
            self.kill(child)
            self.finish(self.start("resume", "bench_big", "--id", effect))
            ran = len(self.notes(effect))
            duplicates += ran > 1
            progress(f"crash trial {trial}: effect ran {ran} times")
        return duplicates


def memory_mb(pid: int) -> float:
    """Resident memory; a page shared by several processes counts as a fraction."""
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)[1]) / 1024


def with_children(pid: int) -> list[int]:
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [pid, *map(int, children.split())]


def drive(options: argparse.Namespace) -> None:
    if options.db == "postgres" and "PEER_PG_URL" not in os.environ:
        wrapper = str(pathlib.Path(__file__).resolve().parent / "with_postgres.sh")
        os.execv(wrapper, [wrapper, sys.executable, os.path.abspath(__file__), *sys.argv[1:]])

    with contextlib.ExitStack() as cleanup:
        directory = pathlib.Path(tempfile.mkdtemp(prefix="peer-dbos."))
        cleanup.callback(shutil.rmtree, directory, ignore_errors=True)
        driver = Driver(options, directory)
        cleanup.callback(lambda: [driver.kill(child) for child in list(driver.children)])

        small = driver.measure()
        progress(f"concurrent: {small['concurrent_steps_per_s']} steps/s")
        big = driver.big()
        progress(f"big: {big}")
        duplicates = driver.count_duplicates()

    result = {
        "peer": f"dbos-{options.db}",
        "version": importlib.metadata.version("dbos"),
        **small,
        **big,
        "duplicates": duplicates,
        "trials": options.trials,
    }
    print(json.dumps(result), flush=True)


def main() -> None:
    options = arguments()
    if options.role:
        work(options)
        return
    # Turn a polite request to stop into an ordinary exit, so that clean-up runs.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        drive(options)
    except KeyboardInterrupt:
        sys.exit(130)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        sys.exit(f"dbos_bench.py: {error}")


if __name__ == "__main__":
    main()
