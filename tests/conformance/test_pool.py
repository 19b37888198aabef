"""Workers: order, deaths, deadlines."""
import faulthandler
import multiprocessing
import os
import signal
import time

import pytest

from rvhyp.conformance import pool
from rvhyp.conformance.discover import Test
from rvhyp.conformance.pool import run_all
from rvhyp.conformance.result import Status
from rvhyp.conformance.runner import Config, Job
from tests.conformance import programs

SHORT = Config(max_instructions=20_000)


@pytest.fixture(autouse=True)
def no_worker_is_left():
    yield
    assert not multiprocessing.active_children()


@pytest.fixture
def jobs(tmp_path):
    """Jobs of programs by name."""
    def jobs(config=SHORT, **named):
        made = []
        for name, program in named.items():
            (tmp_path / name).write_bytes(program)
            made.append(Job(Test(name, str(tmp_path / name)), config))
        return made
    return jobs


@pytest.mark.parametrize("workers", [None, 1, 2, 5])
def test_results_are_in_order_of_names(jobs, workers):
    seen = []
    results = run_all(jobs(d=programs.PASS, c=programs.FAIL_3, b=programs.ENDLESS, a=b"rubbish"), "auto", workers, seen.append)
    assert [(result.name, result.verdict) for result in results] == [
        ("a", "error"), ("b", "timeout"), ("c", "fail(3)"), ("d", "pass")]
    assert sorted(seen, key=lambda result: result.name) == results


def test_results_are_told_when_they_are_there(jobs, monkeypatch):
    """A long test does not hold back those that end before it."""
    run_test, others_are_told, seen = pool.run_test, multiprocessing.Event(), []

    def run(job, engine):
        assert job.test.name != "a" or others_are_told.wait(20)
        return run_test(job, engine)

    def tell(result):
        seen.append(result.name)
        if len(seen) == 2:
            others_are_told.set()
    monkeypatch.setattr(pool, "run_test", run)
    run_all(jobs(a=programs.PASS, b=programs.PASS, c=programs.PASS), workers=2, on_result=tell)
    assert seen == ["b", "c", "a"]


def test_nothing_to_run():
    assert run_all([]) == []


def test_many_tests_on_one_worker(jobs):
    results = run_all(jobs(**{f"t{n:03}": programs.PASS if n % 3 else programs.FAIL_3 for n in range(60)}), workers=1)
    assert [result.verdict for result in results] == ["pass" if n % 3 else "fail(3)" for n in range(60)]


@pytest.mark.parametrize(("end", "how"), [
    (lambda: (faulthandler.disable(), os.kill(os.getpid(), signal.SIGSEGV)), "by SIGSEGV"),
    (lambda: os.kill(os.getpid(), signal.SIGKILL), "by SIGKILL"),
    (lambda: os._exit(7), "with status 7"),
])
def test_a_worker_that_dies_costs_one_test(jobs, monkeypatch, end, how):
    run_test = pool.run_test
    monkeypatch.setattr(pool, "run_test", lambda job, engine: end() if job.test.name == "b" else run_test(job, engine))
    results = run_all(jobs(a=programs.PASS, b=programs.PASS, c=programs.PASS, d=programs.FAIL_3), workers=1)
    assert [result.verdict for result in results] == ["pass", "crash", "pass", "fail(3)"]
    assert results[1].detail == f"the worker process that ran it was ended {how}"


def test_a_worker_that_does_not_answer_is_killed(jobs, monkeypatch):
    monkeypatch.setattr(pool, "GRACE", 0.2)
    run_test = pool.run_test
    monkeypatch.setattr(pool, "run_test", lambda job, engine: time.sleep(60) if job.test.name == "b" else run_test(job, engine))
    start = time.monotonic()
    results = run_all(jobs(a=programs.PASS) + jobs(Config(timeout=0.2), b=programs.PASS) + jobs(c=programs.PASS), workers=1)
    assert [result.verdict for result in results] == ["pass", "timeout", "pass"]
    assert "was killed" in results[1].detail and 0.4 <= time.monotonic() - start < 10


def test_a_worker_that_was_killed_while_it_waited(jobs):
    """The next test is reported as a crash, and those after it run."""
    def kill_the_worker(result):
        (process,) = multiprocessing.active_children()
        if result.name == "a":
            process.kill()
            process.join()
    results = run_all(jobs(a=programs.PASS, b=programs.PASS, c=programs.PASS), workers=1, on_result=kill_the_worker)
    assert [result.verdict for result in results] == ["pass", "crash", "pass"]


def test_a_result_that_comes_with_the_deadline_counts(jobs):
    worker = pool.Worker("auto")
    try:
        worker.give(*jobs(a=programs.PASS))
        assert worker.connection.poll(20)
        worker.deadline = 0.0
        assert [(who, result.verdict) for who, result in pool._finished([worker])] == [(worker, "pass")]
    finally:
        worker.kill()


def test_ctrl_c_is_not_for_workers(jobs, monkeypatch):
    run_test = pool.run_test
    monkeypatch.setattr(pool, "run_test", lambda job, engine: os.kill(os.getpid(), signal.SIGINT) or run_test(job, engine))
    assert run_all(jobs(a=programs.PASS))[0].verdict == "pass"


def test_an_exception_ends_the_workers(jobs):
    def fail(result):
        raise KeyError
    with pytest.raises(KeyError):
        run_all(jobs(a=programs.PASS, b=programs.PASS), workers=2, on_result=fail)


def test_large_results_arrive(jobs, monkeypatch):
    monkeypatch.setattr(pool, "run_test", lambda job, engine: job.result(Status.CRASH, detail="x" * (1 << 22)))
    assert [len(result.detail) for result in run_all(jobs(a=b"", b=b""), workers=2)] == [1 << 22] * 2
