"""The page when the matrix doesn't fit its panel: pairs of zones, and the cells of the one that is opened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.surfaces import documents, fleets
from tests.surfaces.standin import Standin, serving

FLEET = fleets.fleet({"fw": 12, "nodes": 40, "pods": 48})
CUT = fleets.cut(FLEET)
ASTRAY = "fw → pods: 96 of 576 paths fail, return-path misroute"
HEALTHY, MISROUTE, DROP = [0x17, 0x35, 0x2D, 0xFF], [0xD5, 0x5E, 0x00, 0xFF], [0xE6, 0x9F, 0x00, 0xFF]
POINTING = """(points) => {
  const canvas = document.querySelector('canvas'), box = canvas.getBoundingClientRect();
  const real = CanvasRenderingContext2D.prototype.roundRect, painted = [], looks = [];
  let count = 0;
  CanvasRenderingContext2D.prototype.roundRect = function (...given) { count += 1; return real.apply(this, given); };
  for (const [x, y] of points) {
    count = 0;
    canvas.dispatchEvent(new PointerEvent('pointermove', { clientX: box.x + x, clientY: box.y + y }));
    painted.push(count);
    looks.push(canvas.toDataURL());
  }
  CanvasRenderingContext2D.prototype.roundRect = real;
  return { painted, looks };
}"""


@pytest.fixture
def standin() -> Standin:
    """A controller of 100 agents."""
    standin = Standin()
    standin.matrix, standin.streams = lambda: FLEET, False
    return standin


@pytest.fixture
def address(standin: Standin) -> Iterator[str]:
    """Where it listens."""
    with serving(standin) as url:
        yield url


@pytest.fixture(params=["all cells", "healthy ones left out"])
def either(request: pytest.FixtureRequest, standin: Standin) -> None:
    """The matrix with all its cells, and as the controller tells it when it is large."""
    document = FLEET if request.param == "all cells" else CUT
    standin.matrix = lambda: document


@pytest.mark.usefixtures("either")
def test_pairs_of_zones_say_how_many_of_how_many_fail(tab: Page, address: str) -> None:
    tab.goto(address)
    expect(tab.locator("#legend li")).to_have_text(["return-path misroute 96", "ingress drop 99", "healthy 9705"])
    rows = tab.locator("#table tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(0).locator("td")).to_have_text(["healthy", "12/480 ingress drop", "96/576 return-path misroute"])
    expect(rows.nth(2).locator("td")).to_have_text(["healthy", "48/1,920 ingress drop", "healthy"])
    assert opaque(tab) >= {tuple(one) for one in (HEALTHY, MISROUTE, DROP)}
    assert size(tab)[1] < 400


@pytest.mark.usefixtures("either")
def test_the_keyboard_alone_opens_a_pair_and_leaves_it(tab: Page, address: str) -> None:
    tab.goto(address)
    press(tab, "ArrowRight", "ArrowRight")
    expect(tab.locator("#spoken")).to_have_text("zone fw to zone pods, 96 of 576 paths fail, return-path misroute")
    press(tab, "Enter")
    expect(tab.locator("#place")).to_contain_text(ASTRAY)
    expect(tab.locator("#spoken")).to_have_text(f"{ASTRAY}. Escape leads back to all zones.")
    assert tab.evaluate("() => location.hash") == "#/zones/fw/pods"
    press(tab, "ArrowRight")
    expect(tab.locator("#spoken")).to_contain_text("fw-001 → pods-001: return-path misroute · proven")
    press(tab, "Escape")
    expect(tab.locator("#place")).to_be_hidden()
    expect(tab.locator("canvas")).to_be_focused()
    expect(tab.locator("#spoken")).to_contain_text("zone fw to zone pods, 96 of 576")
    press(tab, "ArrowLeft")
    expect(tab.locator("#spoken")).to_contain_text("zone fw to zone nodes, 12 of 480 paths fail, ingress drop")


def test_a_click_opens_a_pair_and_the_browser_goes_back(tab: Page, address: str) -> None:
    tab.goto(address)
    expect(tab.locator("#legend li").first).to_be_visible()
    box = tab.locator("canvas").bounding_box()
    assert box is not None
    tab.mouse.click(box["x"] + box["width"] - 50, box["y"] + box["height"] - 46 * 2.5 - 4)
    expect(tab.locator("#place")).to_contain_text(ASTRAY)
    tab.go_back()
    expect(tab.locator("#place")).to_be_hidden()
    tab.go_forward()
    tab.get_by_role("button", name="all zones").click()
    expect(tab.locator("#place")).to_be_hidden()
    expect(tab.locator("canvas")).to_be_focused()


@pytest.mark.usefixtures("either")
def test_a_pair_that_does_not_fit_shows_what_is_wrong_and_counts_the_rest(tab: Page, address: str) -> None:
    tab.goto(f"{address}/#/zones/fw/pods")
    expect(tab.locator("#rest")).to_contain_text("columns with something wrong, 10 rows that are all healthy")
    narrow = size(tab)
    press(tab, "ArrowDown", "ArrowDown", "ArrowDown")
    expect(tab.locator("#spoken")).to_contain_text("fw-002 → pods-000: return-path misroute")
    tab.get_by_role("button", name="show all").click()
    expect(tab.locator("#rest span")).to_have_text("")
    assert [after > before for before, after in zip(narrow, size(tab), strict=True)] == [True, True]
    press(tab, "ArrowDown", "ArrowDown")
    expect(tab.locator("#spoken")).to_contain_text("fw-003 → pods-000: healthy")
    tab.get_by_role("button", name="show only what is wrong").click()
    expect(tab.locator("#rest")).to_contain_text("10 rows that are all healthy")


def test_a_pair_that_fits_shows_what_fails_first(tab: Page, address: str, standin: Standin) -> None:
    document = fleets.fleet({"fw": 30, "nodes": 40, "pods": 20})
    standin.matrix = lambda: document
    tab.goto(f"{address}/#/zones/fw/pods")
    expect(tab.locator("#place")).to_contain_text("fw → pods: 40 of 600 paths fail, return-path misroute")
    expect(tab.locator("#rest")).to_be_hidden()
    for name in ("fw-002 → pods-000: return-path misroute", "fw-000 → pods-000: healthy", "fw-003 → pods-000: healthy"):
        press(tab, "ArrowDown")
        expect(tab.locator("#spoken")).to_contain_text(name)


@pytest.mark.usefixtures("either")
def test_a_chosen_finding_opens_its_pair_and_marks_its_cells(tab: Page, address: str) -> None:
    tab.goto(address)
    tab.locator("#findings a").first.click()
    expect(tab.locator("#panel h2")).to_have_text("fw-001 → pods-000")
    expect(tab.locator("#place")).to_contain_text(ASTRAY)
    tab.locator("#findings a").nth(1).click()
    expect(tab.locator("#place")).to_contain_text("fw → nodes: 12 of 480 paths fail, ingress drop")
    expect(tab.locator("#panel h2")).to_have_text("fw-000 → nodes-000")
    expect(tab.locator("#rest")).to_contain_text("87 of the 99 marked paths lie in other pairs of zones")
    assert tuple(DROP) in opaque(tab) and tuple(HEALTHY) not in opaque(tab)
    tab.locator("#panel").press("Escape")
    expect(tab.locator("#panel")).to_be_hidden()
    expect(tab.locator("#place")).to_contain_text("fw → nodes")


@pytest.mark.usefixtures("either")
def test_a_chosen_incident_opens_the_pair_with_its_cells(tab: Page, address: str, standin: Standin) -> None:
    astray = [cell for cell in FLEET["cells"] if cell["label"] == "return-path-misroute"]
    standin.incidents = lambda: [incident(astray)]
    tab.goto(address)
    tab.get_by_role("button", name="node19 return-path misroute").click()
    expect(tab.locator("#place")).to_contain_text(ASTRAY)
    assert tuple(MISROUTE) in opaque(tab)
    tab.get_by_role("button", name="all zones").click()
    expect(tab.locator("#incidents .more")).to_have_count(0)
    assert tuple(HEALTHY) in opaque(tab)


def test_the_pointer_paints_no_more_than_it_marks(tab: Page, address: str, standin: Standin) -> None:
    grid = documents.grid(60, 20)
    standin.matrix = lambda: grid
    tab.goto(address)
    expect(tab.locator("#legend li").first).to_be_visible()
    first, still, next_one, far = points(tab, [(300, 300), (301, 300), (320, 300), (500, 400)])["painted"]
    assert 0 < first <= 12 and still == 0 and 0 < next_one <= 20 and 0 < far <= 24


def test_what_the_pointer_leaves_looks_as_before(tab: Page, address: str) -> None:
    tab.goto(f"{address}/#/zones/nodes/fw")
    expect(tab.locator("#place")).to_be_visible()
    seen = points(tab, [(2, 2), *((x, x) for x in range(150, 400, 17)), (2, 2)])["looks"]
    assert seen[0] == seen[-1]
    assert len(set(seen)) > 8


def test_what_the_keyboard_reaches_is_in_sight(tab: Page, address: str) -> None:
    tab.goto(f"{address}/#/zones/fw/pods")
    tab.get_by_role("button", name="show all").click()
    tab.set_viewport_size({"width": 1440, "height": 400})
    press(tab, "End", *["ArrowDown"] * 11)
    holder = tab.locator("#heatmap").evaluate("(one) => one.scrollLeft + one.clientWidth - one.scrollWidth")
    box = tab.locator("canvas").bounding_box()
    assert box is not None
    assert abs(holder) < 60 and box["y"] + box["height"] <= 404


def test_what_fails_and_is_not_listed_is_counted(tab: Page, address: str, standin: Standin) -> None:
    short = fleets.cut(FLEET, most=10)
    standin.matrix = lambda: short
    tab.goto(f"{address}/#/zones/fw/pods")
    expect(tab.locator("#place")).to_contain_text(ASTRAY)
    expect(tab.locator("#rest")).to_contain_text("11 rows and 38 columns with nothing wrong that is listed")
    expect(tab.locator("#rest")).to_contain_text("86 more paths that are not healthy and not listed")
    tab.get_by_role("button", name="show all").click()
    press(tab, "ArrowDown")
    expect(tab.locator("#spoken")).to_contain_text("pods-000: not listed: healthy or not probed")


def test_without_zones_what_is_wrong_is_all_there_is_to_open(tab: Page, address: str, standin: Standin) -> None:
    document = fleets.fleet({"fw": 2, "nodes": 30, "pods": 70}) | {"zones": {}}
    standin.matrix = lambda: document
    tab.goto(address)
    expect(tab.locator("#legend li").first).to_be_visible()
    expect(tab.locator("#place")).to_be_hidden()
    expect(tab.locator("#rest")).to_contain_text("that are all healthy")
    assert tuple(DROP) in opaque(tab)


@pytest.mark.parametrize("width", [390, 1440])
def test_a_large_matrix_is_no_wider_than_the_window(tab: Page, address: str, width: int) -> None:
    tab.set_viewport_size({"width": width, "height": 800})
    tab.goto(f"{address}/#/zones/fw/pods")
    expect(tab.locator("#place")).to_be_visible()
    assert tab.evaluate("() => document.documentElement.scrollWidth") <= width
    assert size(tab)[0] <= tab.evaluate("() => document.querySelector('#heatmap').clientWidth")


def press(tab: Page, *keys: str) -> None:
    """Keys on the heatmap, once there is one."""
    expect(tab.locator("#legend li").first).to_be_visible()
    for key in keys:
        tab.locator("canvas").press(key)


def points(tab: Page, places: list[tuple[int, int]]) -> dict[str, list[Any]]:
    """What the pointer does at each place of the canvas: how many tiles and rings are painted, how it looks after."""
    found: dict[str, list[Any]] = tab.evaluate(POINTING, places)
    return found


def size(tab: Page) -> list[int]:
    """Width and height of the canvas."""
    found: list[int] = tab.locator("canvas").evaluate("(canvas) => [canvas.width, canvas.height]")
    return found


def opaque(tab: Page) -> set[tuple[int, ...]]:
    """The colours that are painted in full."""
    script = """() => {
      const canvas = document.querySelector('canvas'), { width, height } = canvas;
      const data = canvas.getContext('2d').getImageData(0, 0, width, height).data, found = new Set();
      for (let at = 0; at < data.length; at += 4) if (data[at + 3] === 255) found.add(data.slice(at, at + 4).join());
      return [...found];
    }"""
    return {tuple(map(int, one.split(","))) for one in tab.evaluate(script)}


def incident(cells: list[dict[str, Any]]) -> dict[str, Any]:
    """An open incident of these cells."""
    told = [{"source": cell["source"], "target": cell["target"], "label": cell["label"], "since": documents.AT,
             "until": None, "now": cell["label"]} for cell in cells]  # fmt: skip
    given = {"cells": told, "cells_total": len(told), "cells_failing": len(told)}
    return documents.incidents(True)[0] | given
