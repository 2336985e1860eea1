"""The page of the API's description: everything that is described, nothing that runs, no text that is markup."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from prober.surfaces import manual, page

COMMITTED = json.loads((Path(__file__).parents[2] / "openapi.json").read_text())
VOID = {"meta", "link"}
"""Elements without an end (HTML, 13.1.2)."""


class Seen(HTMLParser):
    """What a page is made of; fails where tags do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.ids, self.links, self.keys, self.text = [], [], [], set(), ""
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.keys |= {key for key, _ in attrs}
        given = dict(attrs)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given["href"]] if "href" in given else []
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_every_operation_and_every_document_is_told_with_its_example() -> None:
    seen = Seen(manual.render(COMMITTED))
    operations = [one for methods in COMMITTED["paths"].values() for one in methods.values()]
    names = [one["operationId"] for one in operations] + list(COMMITTED["components"]["schemas"])
    assert sorted(seen.ids) == sorted(names) and len(names) > 40
    assert seen.tags.count("details") >= 12
    for key in ("firewall → ingress: the answer left node1", "names of zones, groups", "integer 1…1000, else 100"):
        assert key in seen.text


def test_links_lead_to_what_is_there_and_nothing_runs() -> None:
    seen = Seen(manual.render(COMMITTED))
    inside = {link.removeprefix("#") for link in seen.links if link.startswith("#")}
    assert inside <= set(seen.ids) and len(inside) > 40
    outside = {link for link in seen.links if not link.startswith("#")}
    assert outside == {"/", "/api/v1/openapi.json", "data:,", "/assets/style.css", "/assets/manual.css"}
    assert {"style.css", "manual.css"} <= set(page.ASSETS)
    assert not {"script", "style", "iframe", "img", "form"} & set(seen.tags)
    assert not [key for key in seen.keys if key == "style" or key.startswith("on")]


def _spoilt(value: Any) -> Any:
    """The same document, with markup in every text and key that is not the form's own."""
    if isinstance(value, dict):
        return {key: _spoilt(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_spoilt(one) for one in value]
    return f'{value}"><script>x</script>' if isinstance(value, str) else value


def test_no_text_of_the_document_is_markup() -> None:
    seen = Seen(manual.render(_spoilt(COMMITTED)))
    assert "script" not in seen.tags
    assert "<script>x</script>" in seen.text
