"""The page of a run, in a real browser."""
import html
import re
import subprocess

import pytest

from rvhyp.bench.peers import find
from rvhyp.conformance.html import to_html
from rvhyp.conformance.report import Report
from rvhyp.conformance.result import Result, Status
from tests.conformance.test_report import KNOWN, RESULTS

CHROMIUM = find("chromium")
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync", "--virtual-time-budget=2000", "--dump-dom")
HOSTILE = Result("evil", "/t/e", Status.FAIL, 1, detail="</script><script>document.title='taken'</script>",
                 output="<b>\u2028&amp;")

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="Debian's package chromium is not installed")


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """A function that opens the page at an address' end and gives what the browser made of it."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "page.html").write_bytes(to_html(Report([*RESULTS, HOSTILE], KNOWN, 1.5)))

    def open_page(end: str = "") -> str:
        command = [CHROMIUM, *OPTIONS, f"--user-data-dir={folder / 'profile'}", f"file://{folder / 'page.html'}{end}"]
        return subprocess.run(command, capture_output=True, timeout=60).stdout.decode()
    return open_page


def names_in(dom: str) -> list[str]:
    """Names in the table."""
    return [html.unescape(name) for name in re.findall(r'<td class="name">([^<]*)</td>', dom)]


def test_all_results_are_there(shown):
    dom = shown()
    assert names_in(dom) == [result.name for result in [*RESULTS, HOSTILE]]
    assert "6 unexpected" in dom and "10 of 10" in dom
    assert "<title>rvhyp conformance</title>" in dom and "&lt;/script&gt;&lt;script&gt;" in dom


@pytest.mark.parametrize(("end", "names"), [
    ("#status=trap", ["hypervisor-p-trap"]),
    ("#status=trap,crash", ["hypervisor-p-trap", "other"]),
    ("#group=hypervisor", ["hypervisor-p-trap"]),
    ("#text=KEYERROR", ["other"]),
    ("#status=pass&group=rv64ui&text=known", ["rv64ui-p-known-but-passes"]),
    ("#status=unexpected&text=rv64ui", ["rv64ui-p-fail", "rv64ui-p-known-but-passes", "rv64ui-v-bad"]),
])
def test_filters(shown, end, names):
    assert names_in(shown(end)) == names
