"""The page of campaigns, in a real browser."""
import html
import re

import pytest

from rvhyp.fuzz.campaign import Campaign
from rvhyp.fuzz.figures import document
from rvhyp.fuzz.oracles import Engine, Oracle
from rvhyp.fuzz.plan import Case
from rvhyp.fuzz.report import to_html
from tests.browser import needs_chromium, opened
from tests.fuzz.test_campaign import plan

HOSTILE = "</script><script>document.title='taken'</script>"

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def figures():
    from rvhyp.fuzz import oracles
    oracles.ORACLES["twin"] = Oracle("twin", "twin", lambda isa: Engine("interpreter", isa), True, 1024, 1)
    reports = [Campaign(plan("twin", target=target, examples=256, measures=True)).run() for target in ("csr", "user")]
    del oracles.ORACLES["twin"]
    reports[1].cases.append(Case("user", 77, "twin", HOSTILE, lines=["program 77, 1 instructions:", "    sub a0, a1, a2"]))
    return document(reports)


@pytest.fixture(scope="module")
def shown(figures, tmp_path_factory):
    """A function that opens the page at an address' end and gives what the browser made of it."""
    page = tmp_path_factory.mktemp("page") / "page.html"
    page.write_bytes(to_html(figures))
    return lambda end="": opened(page, end)


def rows(dom: str, table: str) -> dict[str, list[str]]:
    """Texts of the cells of a table by that of the first of each row."""
    body = re.search(rf'<tbody id="{table}">(.*?)</tbody>', dom, re.DOTALL)[1]
    cells = [[html.unescape(re.sub("<[^>]*>", " ", cell)).split() for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)]
             for row in body.split("</tr>") if "<td" in row]
    return {" ".join(row[0]): [" ".join(cell) for cell in row[1:]] for row in cells}


def test_the_page_shows_the_figures(figures, shown):
    dom = shown()
    assert "1 found" in dom and "sub a0, a1, a2" in dom and "&lt;/script&gt;" in dom
    assert "<title>rvhyp fuzz</title>" in dom and "http" not in re.sub(r"http://www.w3.org/2000/svg", "", dom)
    csr, user = (each["coverage"] for each in figures["reports"])
    add = rows(dom, "outcomes")["add"]
    assert add[0] == f"{csr['outcomes']['add']['M']['retired'] + user['outcomes']['add']['M']['retired']:,}"
    assert len(re.findall(r'<path d="M', dom)) == 2
    assert rows(dom, "causes")["breakpoint"][0] == f"{csr['traps']['breakpoint']['M']['M']:,}"
    assert rows(dom, "writes")["sscratch"][0] == f"{max(csr['writes']['sscratch']['M'].values()):,}"
    assert all(f"<code>{name}</code>" in dom for kind in figures["never"].values() for name in kind)


def test_one_target_one_mode_one_outcome(figures, shown):
    dom = shown("#target=csr&mode=VS,VU&outcome=illegal+instruction&text=csrr")
    table, csr = rows(dom, "outcomes"), figures["reports"][0]["coverage"]["outcomes"]
    want = {name for name, modes in csr.items()
            if "csrr" in name and any("illegal instruction" in modes.get(mode, {}) for mode in ("VS", "VU"))}
    assert set(table) == want and want
    assert all(len(cells) == 2 for cells in table.values())
    assert len(re.findall(r'<path d="M', dom)) == 4 and "Nothing that a known difference" in dom
