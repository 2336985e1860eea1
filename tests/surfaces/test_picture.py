"""The matrix as SVG and PNG: parsed back, and looked at pixel by pixel."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from PIL import Image, ImageFont

from prober.surfaces import picture, scene
from prober.surfaces.findings import findings, sentence
from prober.surfaces.glyphs import LOOKS
from prober.surfaces.strokes import STROKES
from tests.surfaces import documents

NS = {"s": "http://www.w3.org/2000/svg"}


def texts(svg: str) -> list[str]:
    """Every text of the picture, in order."""
    return [node.text or "" for node in ET.fromstring(svg).iterfind("s:text", NS)]


def test_the_picture_says_sentence_age_legend_and_finding() -> None:
    words = " ".join(texts(picture.svg(documents.incident())))
    assert sentence(documents.incident()) in words
    assert "prober · 2026-11-23 03:12:07 UTC · oldest cell 0.8 s" in words
    assert "return-path misroute 4 ingress drop 2 healthy 59" in words
    assert findings(documents.incident())[0].line in words


def test_those_who_cannot_see_it_get_title_and_description() -> None:
    root = ET.fromstring(picture.svg(documents.incident()))
    title, description = root.find("s:title", NS), root.find("s:desc", NS)
    assert title is not None and title.text == sentence(documents.incident())
    assert description is not None and "node19, where node1 and node2 route" in (description.text or "")


def test_each_cell_is_a_tile_of_its_labels_colour() -> None:
    tiles = [node.get("fill") for node in ET.fromstring(picture.svg(documents.every_label())).iterfind("s:rect", NS)]
    for look in LOOKS:
        cells = 57 if look.label == "healthy" else 1
        legend, finding = 1, int(look.label != "healthy")
        assert tiles.count(look.dark[0]) == cells + legend + finding
    assert set(STROKES) == {look.label for look in LOOKS}


def test_the_png_has_the_same_tiles() -> None:
    image = Image.open(io.BytesIO(picture.png(documents.incident())))
    root = ET.fromstring(picture.svg(documents.incident()))
    scale = image.width / float(root.get("width", "0"))
    assert scale == 2
    for node in list(root.iterfind("s:rect", NS))[1:]:
        x, y = (float(node.get(name, "0")) for name in ("x", "y"))
        fill = node.get("fill", "")
        seen = image.getpixel((round((x + 4) * scale), round((y + 4) * scale)))
        assert seen == tuple(bytes.fromhex(fill[1:])), f"the tile at {x}, {y}"


def test_the_png_has_ink_where_the_svg_has_words() -> None:
    image = Image.open(io.BytesIO(picture.png(documents.healthy()))).convert("L")
    title = image.crop((48, 48, 600, 90))
    histogram = title.histogram()
    assert sum(histogram[:32]) > sum(histogram[32:])
    assert sum(histogram[225:]) > 500


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 2), (40, 40), (3, 40), (40, 2)])
def test_all_is_inside_the_picture(rows: int, columns: int) -> None:
    drawing = picture.scene_of(documents.grid(rows, columns))
    for shape in drawing.shapes:
        if isinstance(shape, scene.Words):
            reach = scene.length(shape.text, shape.size, shape.bold)
            left, right = (
                (shape.x - reach, shape.x)
                if shape.right
                else (shape.x, shape.x + reach * (0.643 if shape.angle else 1))
            )
            assert left >= 0 and right <= drawing.width and 0 < shape.y < drawing.height, shape
        if isinstance(shape, scene.Box):
            assert shape.x + shape.width <= drawing.width and shape.y + shape.height <= drawing.height


def test_nothing_measured_is_still_a_picture() -> None:
    empty = {"at": documents.AT, "sources": [], "targets": [], "cells": []}
    assert "Nothing has been measured yet" in texts(picture.svg(empty))
    assert picture.png(empty).startswith(b"\x89PNG")


@pytest.mark.parametrize("evil", ["</text><script>alert(1)</script>", "a&b<c>\"d'", "\x00\x1b\u202e", "x" * 500])
def test_names_are_escaped_and_kept_in_their_place(evil: str) -> None:
    one = documents.cell(evil, evil, "target", culprit=evil)
    document = {"at": documents.AT, "sources": [evil], "targets": [evil], "cells": [one]}
    root = ET.fromstring(picture.svg(document))
    assert {node.tag.split("}")[1] for node in root.iter()} == {"svg", "title", "desc", "rect", "text", "polyline"}
    assert float(root.get("width", "0")) < 800
    assert picture.png(document).startswith(b"\x89PNG")


def test_without_dejavu_the_words_are_spelt_in_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = ImageFont.truetype

    def without_files(file: object, *given: Any, **named: Any) -> ImageFont.FreeTypeFont:
        if isinstance(file, str):
            raise OSError("cannot open resource")
        return opened(file, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(ImageFont, "truetype", without_files)
    scene.font.cache_clear()
    try:
        assert scene.spelt("firewall → ingress") == "firewall -> ingress"
        assert picture.png(documents.incident()).startswith(b"\x89PNG")
    finally:
        scene.font.cache_clear()
