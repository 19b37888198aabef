"""Running tests in worker processes: one that dies, or does not answer, costs its own test only."""
from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection, wait

from rvhyp.conformance.result import Result, Status
from rvhyp.conformance.runner import Job, run_test
from rvhyp.engine.children import Child, available_cores
from rvhyp.machine.errors import BadInput

GRACE = 2.0                             # seconds a worker has beyond a test's limit before it is killed
TRANSLATED = 4                          # times as long: it runs twice, and all of it is translated between
LONGEST_WAIT = 3600.0                   # seconds; the host's own limit is lower than that of a float


def run_all(jobs: Iterable[Job], engine: str = "auto", workers: int | None = None,
            on_result: Callable[[Result], object] = lambda result: None) -> list[Result]:
    """Run tests, and give the results in order of their names.  `on_result` gets each as soon as it is there.

    Whatever ends this call, an exception or a signal's handler too, ends the workers.
    """
    jobs = deque(jobs)
    results: list[Result] = []
    crew: list[Worker] = []
    try:
        for _ in range(min(workers or available_cores(), len(jobs))):
            crew.append(Worker(engine))
            crew[-1].give(jobs.popleft())
        while busy := [worker for worker in crew if worker.job]:
            for worker, result in _finished(busy):
                results.append(result)
                on_result(result)
                if jobs:
                    worker.give(jobs.popleft())
    finally:
        for worker in crew:
            worker.kill()
    return sorted(results, key=lambda result: result.name)


def _finished(busy: list[Worker]) -> list[tuple[Worker, Result]]:
    """Wait for at least one result, or the first deadline."""
    left = min(worker.deadline for worker in busy) - time.monotonic()
    ready = wait([worker.connection for worker in busy], min(max(0, left), LONGEST_WAIT))
    finished = [(worker, worker.take()) for worker in busy if worker.connection in ready]
    overdue = [worker for worker in busy if worker.job and worker.deadline <= time.monotonic()]
    return finished + [(worker, worker.abandon()) for worker in overdue]


class Worker:
    """A process that runs one test at a time; started again if it had to be killed, or died."""

    def __init__(self, engine: str):
        self._engine = engine
        self.job: Job | None = None
        self.deadline = 0.0
        self._start()

    def _start(self) -> None:
        try:
            self._child = Child(_serve, self._engine)
        except OSError as error:
            raise BadInput(f"cannot start a worker process ({error.strerror})", do="give a smaller --jobs") from error
        self.connection = self._child.connection

    def _allowed(self, job: Job) -> float:
        """Seconds until a test is overdue."""
        return job.seconds * (TRANSLATED if self._engine == "translator" else 1) + GRACE

    def give(self, job: Job) -> None:
        """Begin a test."""
        self.job = job
        self.deadline = time.monotonic() + self._allowed(job)
        try:
            self.connection.send(job)
        except OSError:                 # it died: `take` will find out
            pass

    def take(self) -> Result:
        """The result that has arrived; or that the worker died of its test."""
        job, self.job = self.job, None
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            how = self._child.how_it_ended()
            self._restart()
            return job.result(Status.CRASH, detail=f"the worker process that ran it was ended {how}")

    def abandon(self) -> Result:
        """Kill the worker, which does not answer."""
        job, self.job = self.job, None
        self._restart()
        return job.result(Status.TIMEOUT, seconds=self._allowed(job),
                          detail=f"limit of {job.config.timeout:g} seconds; it did not heed it and was killed")

    def _restart(self) -> None:
        self.kill()
        self._start()

    def kill(self) -> None:
        """End the process."""
        self._child.kill()


def _serve(connection: Connection, engine: str) -> None:
    """A worker: run the tests that come, until nobody sends any."""
    gc.freeze()                                         # what is there now is here to stay
    while True:
        try:
            job = connection.recv()
        except (EOFError, OSError):
            return
        connection.send(_run(job, engine))
        gc.collect()                                    # boards hold much memory, in cycles


def _run(job: Job, engine: str) -> Result:
    """Run a test, with traces if they are wanted: what these need is imported only then."""
    if not job.config.traces:
        return run_test(job, engine)
    from rvhyp.conformance.trace import run_traced
    return run_traced(job, engine)
