"""The page in a real Chromium, against a stand-in that answers as the API does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from prober.surfaces import page as the_page
from prober.surfaces.findings import findings, sentence
from prober.surfaces.glyphs import LOOKS
from prober.surfaces.strokes import SOLID, STROKES
from tests.surfaces import documents
from tests.surfaces.standin import Standin, serving

INCIDENT = "6 of 65 paths fail: return-path misroute, firewall → node1, node2, ingress, pod2 and 2 other paths"


@pytest.fixture
def standin() -> Standin:
    """What the canned controller says."""
    return Standin()


@pytest.fixture
def address(standin: Standin) -> Iterator[str]:
    """Where it listens."""
    with serving(standin) as url:
        yield url


def test_all_healthy_is_said_in_one_sentence(tab: Page, address: str) -> None:
    tab.goto(address)
    expect(tab.locator("h1")).to_have_text("All 65 paths are healthy")
    expect(tab.locator("#legend li")).to_have_text(["healthy 65"])
    expect(tab.locator("#findings li")).to_have_text(["None."])


def test_the_break_arrives_by_the_stream_without_a_reload(tab: Page, address: str, standin: Standin) -> None:
    tab.goto(address)
    expect(tab.locator("h1")).to_have_text("All 65 paths are healthy")
    standin.break_it()
    expect(tab.locator("h1")).to_have_text(INCIDENT)
    expect(tab.locator("#findings li")).to_contain_text(["node19, where node1 and node2 route 10.19.0.0/16 via"])
    expect(tab.locator("#flips")).to_contain_text("firewall → ingress")
    assert tab.title().startswith("✗ 6 of 65 paths fail")


def test_without_a_stream_the_page_polls(tab: Page, address: str, standin: Standin) -> None:
    standin.streams = False
    tab.goto(address)
    expect(tab.locator("h1")).to_have_text("All 65 paths are healthy")
    standin.break_it()
    expect(tab.locator("h1")).to_have_text(INCIDENT)


def test_a_click_on_a_cell_opens_its_ladder(tab: Page, address: str, standin: Standin) -> None:
    standin.break_it()
    tab.goto(address)
    click_cell(tab, "firewall", "ingress")
    panel = tab.locator("#panel")
    expect(panel.locator("h2")).to_have_text("firewall → ingress")
    expect(panel.locator(".sentence")).to_have_text(documents.SENTENCE)
    expect(panel.locator(".ladder .name")).to_have_text(["firewall", "node1", "node19"])
    expect(panel.locator(".ladder .arrow.astray .label")).to_have_text("SYN-ACK")
    expect(panel.locator(".ladder .died text")).to_have_text("NIC in · not seen")
    expect(panel.locator(".ladder .unwatched text").first).to_have_text("NIC out · unwatched")
    expect(panel.locator(".facts")).to_contain_text("Take node19 out")
    expect(panel.locator(".verdict")).to_contain_text("proven")
    assert tab.evaluate("() => location.hash") == "#/path/firewall/ingress"


def test_a_refresh_leaves_the_reader_alone(tab: Page, address: str, standin: Standin) -> None:
    tab.goto(f"{address}/#/path/firewall/ingress")
    tab.locator("#panel summary").click()
    tab.evaluate("() => (document.querySelector('#panel .sentence').dataset.same = 'yes')")
    wait_for_paths(tab, standin, 3)
    expect(tab.locator("#panel .sentence[data-same]")).to_be_visible()
    standin.break_it()
    expect(tab.locator("#panel .sentence")).to_have_text(documents.SENTENCE)
    expect(tab.locator("#panel .packets")).to_be_visible()


def test_words_that_are_marked_stay_until_they_are_copied(tab: Page, address: str, standin: Standin) -> None:
    tab.goto(f"{address}/#/path/firewall/ingress")
    expect(tab.locator("#panel .sentence")).to_have_text("firewall → ingress: healthy.")
    tab.evaluate("() => getSelection().selectAllChildren(document.querySelector('#panel .sentence'))")
    standin.break_it()
    wait_for_paths(tab, standin, 3)
    expect(tab.locator("#panel .sentence")).to_have_text("firewall → ingress: healthy.")
    tab.evaluate("() => getSelection().removeAllRanges()")
    expect(tab.locator("#panel .sentence")).to_have_text(documents.SENTENCE)


def test_a_deep_link_opens_the_path_and_escape_closes_it(tab: Page, address: str, standin: Standin) -> None:
    standin.break_it()
    tab.goto(f"{address}/#/path/firewall/ingress")
    expect(tab.locator("#panel h2")).to_have_text("firewall → ingress")
    tab.locator("#panel").press("Escape")
    expect(tab.locator("#panel")).to_be_hidden()
    assert tab.evaluate("() => document.activeElement.tagName") == "CANVAS"


def test_a_link_to_no_path_says_so(tab: Page, address: str) -> None:
    tab.goto(f"{address}/#/path/firewall/%zz")
    expect(tab.locator("#panel")).to_contain_text("There is no such path")


def test_the_keyboard_alone_reaches_a_cell(tab: Page, address: str, standin: Standin) -> None:
    standin.break_it()
    tab.goto(address)
    expect(tab.locator("h1")).to_have_text(INCIDENT)
    canvas = tab.locator("canvas")
    canvas.focus()
    for _ in range(2):
        canvas.press("ArrowRight")
    expect(tab.locator("#spoken")).to_contain_text("firewall → node1: return-path misroute · proven")
    canvas.press("Enter")
    expect(tab.locator("#panel h2")).to_have_text("firewall → node1")


def test_the_table_says_what_the_heatmap_shows(tab: Page, address: str, standin: Standin) -> None:
    standin.break_it()
    tab.goto(address)
    expect(tab.locator("table.matrix tbody tr")).to_have_count(8)
    expect(tab.locator("#table a[tabindex='-1']")).to_have_count(65)
    tab.get_by_role("button", name="show as table").click()
    expect(tab.locator("canvas")).to_be_hidden()
    row = tab.locator("table.matrix tbody tr").first
    expect(row.locator("td")).to_contain_text(["not probed", "healthy", "return-path misroute"])
    row.get_by_role("link", name="return-path misroute").first.click()
    expect(tab.locator("#panel h2")).to_have_text("firewall → node1")


def test_a_large_matrix_has_a_table_only_when_it_is_asked_for(tab: Page, address: str, standin: Standin) -> None:
    large = documents.grid(60, 60)
    standin.matrix = lambda: large
    standin.streams = False
    tab.goto(address)
    expect(tab.locator("#table")).to_have_text(f"{len(large['cells'])} paths; the button “show as table” lists them.")
    assert tab.locator("#table td").count() == 0
    tab.get_by_role("button", name="show as table").click()
    expect(tab.locator("#table tbody tr")).to_have_count(60)


def test_the_heatmap_paints_the_labels_own_colour(tab: Page, address: str, standin: Standin) -> None:
    standin.break_it()
    tab.goto(address)
    expect(tab.locator("h1")).to_have_text(INCIDENT)
    assert corner_of(tab, "firewall", "ingress") == [0xD5, 0x5E, 0x00, 0xFF]
    assert corner_of(tab, "lb", "ingress") == [0x17, 0x35, 0x2D, 0xFF]


def test_hovering_a_cell_tells_of_it(tab: Page, address: str, standin: Standin) -> None:
    standin.break_it()
    tab.goto(address)
    expect(tab.locator("h1")).to_have_text(INCIDENT)
    x, y = cell_at(tab, "firewall", "pod2")
    tab.mouse.move(x, y)
    expect(tab.locator("#tooltip")).to_contain_text("firewall → pod2: return-path misroute · proven · 0 of 16 answered")
    expect(tab.locator("#tooltip")).to_contain_text("node2 routes 10.19.0.0/16")


def test_a_run_is_asked_for_and_followed(tab: Page, address: str, standin: Standin) -> None:
    tab.goto(address)
    tab.get_by_role("button", name="Run now").click()
    expect(tab.locator("#progress-text")).to_have_text("Run finished: All 65 paths are healthy")
    expect(tab.locator("#run")).to_be_enabled()
    assert ("POST", "/api/v1/runs") in standin.seen


def test_a_silent_controller_is_admitted(tab: Page, address: str, standin: Standin) -> None:
    tab.clock.install()
    tab.goto(address)
    expect(tab.locator("h1")).to_have_text("All 65 paths are healthy")
    expect(tab.locator("#stale")).to_be_hidden()
    standin.away = True
    tab.wait_for_timeout(500)
    tab.clock.run_for(15_000)
    expect(tab.locator("#stale")).to_contain_text("This page has not heard from the controller for")
    expect(tab.locator("#stale")).to_contain_text("what you see may be old")


def test_what_was_heard_last_stays_when_the_controller_goes(tab: Page, address: str, standin: Standin) -> None:
    standin.break_it()
    tab.goto(address)
    expect(tab.locator("#incidents tbody tr").first).to_contain_text("node19", timeout=8000)
    expect(tab.locator("#agents li").first).to_have_text("8 of 8 agents report.")
    standin.away = True
    late = "This may be old: The controller is away"
    for part in ("#incidents", "#objectives", "#flips", "#agents"):
        expect(tab.locator(f"{part} .late")).to_have_text(late, timeout=8000)
    expect(tab.locator("#incidents tbody tr").first).to_contain_text("node19")
    expect(tab.locator(".objectives .missed")).to_contain_text(["firewall-to-ingress"])
    expect(tab.locator("#flips")).to_contain_text("firewall → ingress")
    expect(tab.locator("#agents li").first).to_have_text("8 of 8 agents report.")
    standin.away = False
    expect(tab.locator(".late")).to_have_count(0, timeout=8000)


def test_a_controller_that_is_not_there_is_called_so(tab: Page, address: str) -> None:
    tab.route("**/api/v1/agents", lambda route: route.abort("connectionrefused"))
    tab.goto(address)
    expect(tab.locator("#agents li")).to_have_text(["The controller does not answer"])


def test_what_is_old_can_still_be_read(tab: Page, address: str, standin: Standin) -> None:
    standin.break_it()
    tab.goto(address)
    expect(tab.locator("h1")).to_have_text(INCIDENT)
    where = geometry(tab)
    inked = darkest(tab, where)
    standin.away = True
    expect(tab.locator("#stale")).to_be_visible(timeout=15_000)
    assert corner_of(tab, "firewall", "ingress", where)[3] < 0xFF
    assert darkest(tab, where) == inked


def test_a_controller_that_comes_back_is_heard_again(tab: Page, address: str, standin: Standin) -> None:
    tab.goto(address)
    expect(tab.locator("h1")).to_have_text("All 65 paths are healthy")
    standin.away = True
    tab.wait_for_timeout(600)
    standin.break_it()
    standin.away = False
    expect(tab.locator("h1")).to_have_text(INCIDENT)


def test_a_token_is_asked_for_and_kept_in_the_tab(tab: Page, address: str, standin: Standin) -> None:
    standin.token = "id.secret"
    tab.goto(address)
    expect(tab.locator("#token")).to_be_visible()
    expect(tab.locator("#incidents")).to_have_text("")
    tab.get_by_label("Token").fill("wrong")
    tab.get_by_role("button", name="Use it").click()
    expect(tab.locator("#token-refused")).to_be_visible()
    tab.get_by_label("Token").fill("id.secret")
    tab.get_by_role("button", name="Use it").click()
    expect(tab.locator("h1")).to_have_text("All 65 paths are healthy")
    tab.reload()
    expect(tab.locator("h1")).to_have_text("All 65 paths are healthy")
    expect(tab.locator("#token")).to_be_hidden()
    standin.break_it()
    expect(tab.locator("h1")).to_have_text(INCIDENT)


def test_the_packets_are_fetched_with_the_token(tab: Page, address: str, standin: Standin) -> None:
    standin.token = "id.secret"
    tab.add_init_script("sessionStorage.setItem('prober.token', 'id.secret')")
    tab.goto(f"{address}/#/path/firewall/ingress")
    with tab.expect_download() as download:
        tab.get_by_role("link", name="Packets of both ends").click()
    assert download.value.suggested_filename == "firewall-ingress.pcapng"
    assert Path(download.value.path()).read_bytes() == b"\x0a\x0d\x0d\x0a"


def test_names_are_text_and_never_markup(tab: Page, address: str, standin: Standin) -> None:
    evil = "<img src=x onerror=alert(1)>\u202e"
    document = documents.healthy()
    document["sources"] = [evil]
    document["cells"] = [documents.cell(evil, "lb", "target", culprit="<b>x</b>", sentence="<script>1</script>")]
    standin.matrix = lambda: document
    tab.goto(address)
    shown = evil.replace("\u202e", "\ufffd")
    expect(tab.locator("h1")).to_have_text(f"1 of 1 path fail: {shown} → lb fails at the target")
    expect(tab.locator("#findings")).to_contain_text("<b>x</b>")
    assert tab.locator("main img, main script, main b").count() == 0


def test_objectives_show_what_was_kept_and_what_is_left(tab: Page, address: str, standin: Standin) -> None:
    standin.break_it()
    tab.goto(address)
    expect(tab.locator(".objectives .missed")).to_contain_text(["firewall-to-ingress✗ 99.62 %of 99.9 %"])
    expect(tab.locator(".objectives .missed")).to_contain_text(["budget overspent 2.8× · burning 21.4×"])
    expect(tab.locator(".objectives .met").first).to_contain_text("62 % of the budget left")


def test_incidents_are_a_timeline_open_ones_on_top(tab: Page, address: str, standin: Standin) -> None:
    tab.goto(address)
    expect(tab.locator("#incidents tbody tr")).to_have_text(["remote → vm target102:40:0013 min"])
    standin.break_it()
    rows = tab.locator("#incidents tbody tr")
    expect(rows).to_have_text(
        ["node19 return-path misroute603:10:05open, 2 min", "remote → vm target102:40:0013 min"], timeout=8000
    )
    opened, closed = (rows.nth(at).locator(".span") for at in (0, 1))
    ends = [float(bar.get_attribute("x") or 0) + float(bar.get_attribute("width") or 0) for bar in (opened, closed)]
    assert ends[0] == pytest.approx(1000)
    assert ends[1] == pytest.approx(1000 * 750 / 1927.25, abs=1)
    assert opened.get_attribute("fill") == "#d55e00"


def test_where_no_incident_was_told_the_page_says_so_and_goes_on(tab: Page, address: str, standin: Standin) -> None:
    standin.incidents = list
    tab.goto(address)
    expect(tab.locator("#incidents")).to_have_text("None has been told.")
    standin.break_it()
    expect(tab.locator("h1")).to_have_text(INCIDENT)
    expect(tab.locator("#incidents")).to_have_text("None has been told.")
    standin.incidents = lambda: documents.incidents(True)
    expect(tab.locator("#incidents tbody tr").first).to_contain_text("node19", timeout=8000)


def test_a_chosen_incident_marks_its_cells_and_says_what_to_do(tab: Page, address: str, standin: Standin) -> None:
    standin.break_it()
    tab.goto(address)
    expect(tab.locator("h1")).to_have_text(INCIDENT)
    where = geometry(tab)
    tab.get_by_role("button", name="node19 return-path misroute").click()
    more = tab.locator("#incidents .more")
    expect(more).to_contain_text("Take node19 out")
    expect(more).to_contain_text("Zones: firewall, nodes, pods")
    expect(more.locator("li")).to_contain_text(["firewall → node1", "firewall → node2"])
    assert corner_of(tab, "firewall", "ingress", where)[3] == 0xFF
    assert corner_of(tab, "lb", "ingress", where)[3] < 0x60
    assert tab.evaluate("() => location.hash") == "#/incident/19ff"
    more.get_by_role("link", name="firewall → ingress").click()
    expect(tab.locator("#panel h2")).to_have_text("firewall → ingress")
    expect(more).to_be_visible()
    tab.locator("#panel").press("Escape")
    expect(more).to_have_count(0)
    assert corner_of(tab, "lb", "ingress")[3] == 0xFF


def test_the_keyboard_alone_reaches_an_incident_and_keeps_its_place(tab: Page, address: str, standin: Standin) -> None:
    standin.break_it()
    tab.goto(address)
    first = tab.get_by_role("button", name="node19 return-path misroute")
    first.focus()
    first.press("ArrowDown")
    expect(tab.get_by_role("button", name="remote → vm target")).to_be_focused()
    tab.keyboard.press("ArrowUp")
    tab.keyboard.press("Enter")
    expect(first).to_have_attribute("aria-expanded", "true")
    standin.incidents = lambda: [one | {"cells_failing": 5} for one in documents.incidents(True)]
    expect(tab.locator("#incidents tbody tr").first).to_contain_text("5 of 6", timeout=8000)
    expect(first).to_be_focused()
    tab.keyboard.press("Escape")
    expect(first).to_have_attribute("aria-expanded", "false")


def test_a_link_to_an_incident_opens_it_and_one_to_none_says_so(tab: Page, address: str, standin: Standin) -> None:
    tab.goto(f"{address}/#/incident/00aa")
    expect(tab.locator("#incidents .more")).to_contain_text("remote → vm")
    tab.goto(f"{address}/#/incident/nope")
    expect(tab.locator("#incidents .refused")).to_have_text("There is no such incident")


def test_an_incidents_names_are_text_and_never_markup(tab: Page, address: str, standin: Standin) -> None:
    evil = "<img src=x onerror=alert(1)>\u202e"
    said = {"element": evil, "sentence": evil, "next_step": evil, "zones": [evil], "label": evil}
    cell = {"source": evil, "target": evil, "label": evil, "since": documents.AT, "until": None, "now": evil}
    standin.incidents = lambda: [documents.incidents()[0] | said | {"cells": [cell]}]
    tab.goto(f"{address}/#/incident/00aa")
    expect(tab.locator("#incidents .more")).to_contain_text(evil.replace("\u202e", "\ufffd"))
    assert tab.locator("main img").count() == 0


def test_agents_say_who_reports_through_a_peer(tab: Page, address: str, standin: Standin) -> None:
    tab.goto(address)
    expect(tab.locator("#agents li")).to_have_text(["8 of 8 agents report."])
    standin.break_it()
    line = "!firewall reports through node1: its own way to the controller is broken."
    expect(tab.locator("#agents li")).to_have_text(["8 of 8 agents report.", line], timeout=8000)


@pytest.mark.parametrize("width", [420, 1440])
def test_nothing_is_wider_than_the_window(tab: Page, address: str, standin: Standin, width: int) -> None:
    standin.break_it()
    tab.set_viewport_size({"width": width, "height": 800})
    tab.goto(f"{address}/#/path/firewall/ingress")
    expect(tab.locator("#panel .ladder")).to_be_visible()
    assert tab.evaluate("() => document.documentElement.scrollWidth") <= width


def test_a_narrow_ladder_still_says_what_was_not_seen(tab: Page, address: str, standin: Standin) -> None:
    standin.break_it()
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto(f"{address}/#/path/firewall/ingress")
    expect(tab.locator(".ladder g.died > text:not(.time)")).to_have_text(["NIC in", "not seen"])
    expect(tab.locator(".ladder g.unwatched > text:not(.label)").last).to_have_text("unwatched")


@pytest.mark.parametrize("name", ["healthy", "incident", "every_label"])
def test_the_page_shows_the_controllers_own_sentences(
    tab: Page, standin: Standin, address: str, name: str
) -> None:  # fmt: skip
    standin.matrix = getattr(documents, name)
    tab.goto(address)
    document = standin.matrix()
    expect(tab.locator("#sentence")).to_contain_text(sentence(document))
    lines = [one.line for one in findings(document)]
    expect(tab.locator("#findings li")).to_contain_text(lines or ["None."])


def test_the_browsers_table_of_labels_is_the_one_table(tab: Page, address: str) -> None:
    tab.goto(address)
    ours = [{key: value for key, value in look._asdict().items() if key != "ascii"} for look in LOOKS]
    script = "async () => { const l = await import('/assets/labels.js'); return [l.LOOKS, l.STROKES, l.SOLID]; }"
    assert tab.evaluate(script) == json.loads(json.dumps([ours, STROKES, sorted(SOLID)]))


def test_no_markup_holds_a_script_or_a_style() -> None:
    html = (the_page.FOLDER / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", html)
    assert not any("innerHTML" in (the_page.FOLDER / name).read_text() for name in the_page.ASSETS)


def wait_for_paths(tab: Page, standin: Standin, more: int) -> None:
    """Until the page has asked for the open path `more` times."""
    asked = ("GET", "/api/v1/paths/firewall/ingress")
    enough = standin.seen.count(asked) + more
    while standin.seen.count(asked) < enough:
        tab.wait_for_timeout(50)


def cell_at(tab: Page, source: str, target: str) -> tuple[float, float]:
    """The middle of a cell in the window, measured from the corner the matrix's last cell leaves."""
    expect(tab.locator("#legend li").first).to_be_visible()
    box = tab.locator("canvas").bounding_box()
    assert box is not None
    size, left, top = geometry(tab)
    column, row = documents.TARGETS.index(target), documents.SOURCES.index(source)
    return box["x"] + left + size * (column + 0.5), box["y"] + top + size * (row + 0.5)


def geometry(tab: Page) -> tuple[float, float, float]:
    """Side, left and top of the grid, found in the pixels: cells are painted, what is around them is not."""
    script = """() => {
      const canvas = document.querySelector('canvas'), dense = window.devicePixelRatio;
      const { width, height } = canvas, data = canvas.getContext('2d').getImageData(0, 0, width, height).data;
      const solid = (x, y) => data[(y * width + x) * 4 + 3] === 255;
      let bottom = height - 1, x = 0;
      while (!solid(Math.floor(width / 2), bottom)) bottom -= 1;
      const y = bottom - 6, starts = [];
      for (let was = false; x < width; x += 1) {
        if (solid(x, y) && !was && solid(x + 6, y)) starts.push(x);
        was = solid(x, y);
      }
      const grid = starts.slice(-10), size = (grid[9] - grid[0]) / 9;
      return [size / dense, (grid[0] - 1) / dense, (bottom + 2 - size * 8) / dense];
    }"""
    size, left, top = tab.evaluate(script)
    return size, left, top


def darkest(tab: Page, where: tuple[float, float, float]) -> int:
    """How opaque the ink of the sources' names is at its strongest."""
    script = """([x, y, width, height]) => Math.max(...document.querySelector('canvas').getContext('2d')
      .getImageData(x, y, width, height).data.filter((_, index) => index % 4 === 3))"""
    size, left, top = where
    found: int = tab.evaluate(script, [0, top, left - 4, size * 8])
    return found


def click_cell(tab: Page, source: str, target: str) -> None:
    """A click on the cell's middle."""
    tab.mouse.click(*cell_at(tab, source, target))


def corner_of(tab: Page, source: str, target: str, where: tuple[float, float, float] | None = None) -> list[int]:
    """The colour near the cell's upper left corner, where no glyph is; `where` is the `geometry` if known."""
    size, left, top = where or geometry(tab)
    column, row = documents.TARGETS.index(target), documents.SOURCES.index(source)
    script = "([x, y]) => [...document.querySelector('canvas').getContext('2d').getImageData(x, y, 1, 1).data]"
    found: list[int] = tab.evaluate(script, [left + size * column + 6, top + size * row + 6])
    return found
