"""A campaign on many machines: the same programs and verdicts as here, whatever becomes of the workers."""
import os
import signal
import threading
import time

import pytest
from distributed import LocalCluster

from rvhyp.fuzz import fleet
from rvhyp.fuzz.batches import BATCH, Bench, Work
from rvhyp.fuzz.campaign import Campaign, Plan
from rvhyp.fuzz.fleet import Fleet, Separate, Stale
from rvhyp.machine.errors import BadInput
from tests.fuzz.mutant import register_mutant

EXAMPLES = 12 * BATCH


@pytest.fixture
def cluster():
    with local_cluster(2) as it:
        yield it


def local_cluster(workers):
    return LocalCluster("127.0.0.1", n_workers=workers, threads_per_worker=1, dashboard_address=None, scheduler_port=0,
                        silence_logs=50)


def plan(cluster=None, **more):
    more = {"seed": 5, "oracles": ("mutant",), "examples": EXAMPLES, "seconds": None, "guided": True} | more
    return Plan(**more, scheduler=cluster.scheduler_address if cluster else "")


def with_mutant(key, plan, oracles, work):
    """What workers do in these tests: in themselves, so that killing one kills its work."""
    register_mutant()
    time.sleep(0.3)
    return Bench(plan, oracles).run(work)


def hunted(campaign):
    """What a campaign finds, without the cold loop."""
    campaign._hunt(time.monotonic())
    report = campaign.report
    return report.programs, sorted((case.number, case.oracle, case.what) for case in report.cases), report.guide.features()


def test_workers_that_are_killed_lose_nothing(cluster, monkeypatch):
    monkeypatch.setattr(Fleet, "task", staticmethod(with_mutant))
    register_mutant()
    killed = []

    def kill(report):
        """One of the workers, after the second, fifth and eighth result: it comes back."""
        alive = [nanny.pid for nanny in cluster.workers.values() if nanny.pid]
        if report.programs // BATCH >= 2 + 3 * len(killed) and len(killed) < 3 and alive:
            killed.append(alive[len(killed) % len(alive)])
            os.kill(killed[-1], signal.SIGKILL)
    there = hunted(Campaign(plan(cluster), kill))
    assert len(killed) == 3
    assert there == hunted(Campaign(plan()))
    assert there[0] == EXAMPLES and len(there[1]) > 100


def test_work_is_done_in_a_process_of_its_own(cluster):
    """As it is for users: the worker lives, the process says what it finds."""
    report = Campaign(plan(cluster, oracles=("reference",), examples=4)).run()
    assert report.programs == 4 and report.compared["reference"] == 4 and not report.cases and not report.messages


def test_a_process_that_ends_is_told_and_replaced(cluster):
    separate = Separate(plan(oracles=("reference",)), ())
    separate.process.kill()
    separate.process.wait()
    assert separate.do(Work(0, 8)) == "by signal 9"
    assert fleet.do(fleet.sources(), plan(), (), Work(0, 8)).count == 8
    first = fleet._of_thread.separate
    first.process.kill()
    first.process.wait()
    assert fleet.do(fleet.sources(), plan(), (), Work(0, 8)).count == 8
    assert fleet._of_thread.separate is not first
    fleet._of_thread.separate.end()


def test_a_worker_with_other_sources_is_refused(cluster, monkeypatch):
    with pytest.raises(Stale, match="another rvhyp"):
        fleet.do("other", plan(), (), None)
    monkeypatch.setattr(fleet, "sources", lambda: "other")
    with pytest.raises(BadInput, match="need the same rvhyp"):
        Campaign(plan(cluster, oracles=("reference",))).run()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x", "127.0.0.1:99999999", "what"])
def test_no_scheduler_is_one_message(address, monkeypatch):
    monkeypatch.setattr(fleet, "PATIENCE", 0.5)
    with pytest.raises(BadInput, match="no scheduler answers"):
        Fleet(plan(), (), address)


def test_a_scheduler_that_goes_away_leaves_what_was_found(monkeypatch):
    monkeypatch.setattr(Fleet, "task", staticmethod(with_mutant))
    monkeypatch.setattr(fleet, "PATIENCE", 2)
    register_mutant()
    cluster = local_cluster(1)
    seen = []

    def end_it(report):
        if not seen and report.programs > 1000:
            seen.append(report.programs)
            threading.Thread(target=cluster.close).start()
    campaign = Campaign(plan(cluster), end_it)
    programs, cases, _ = hunted(campaign)
    assert seen and 1000 < programs < EXAMPLES and cases
    (message,) = campaign.report.messages
    assert "is gone" in message and message.endswith("what was found until then is here")
