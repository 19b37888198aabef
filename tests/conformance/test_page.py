"""The page of a run, in a real browser."""
import html
import re

import pytest

from rvhyp.conformance.html import to_html
from rvhyp.conformance.report import Report
from rvhyp.conformance.result import Result, Status
from tests.browser import needs_chromium, opened
from tests.conformance.test_report import KNOWN, RESULTS

HOSTILE = Result("evil", "/t/e", Status.FAIL, 1, detail="</script><script>document.title='taken'</script>",
                 output="<b>\u2028&amp;")

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """A function that opens the page at an address' end and gives what the browser made of it."""
    page = tmp_path_factory.mktemp("page") / "page.html"
    page.write_bytes(to_html(Report([*RESULTS, HOSTILE], KNOWN, 1.5)))
    return lambda end="": opened(page, end)


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
