"""The matrix as a picture for chat: SVG text, and PNG for what shows no SVG. Both are one scene, painted twice.

The document is that of ``GET /api/v1/matrix``. Names are escaped; nothing is fetched, no font is embedded.
"""

from __future__ import annotations

import io
import math
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from PIL import Image, ImageDraw

from prober.surfaces.findings import findings, sentence
from prober.surfaces.glyphs import Look, look, present, shown
from prober.surfaces.scene import FAMILY, Box, Scene, Shape, Stroke, Words, cut, font, length, spelt, wrap
from prober.surfaces.strokes import SOLID, strokes

Document = dict[str, Any]
GROUND, TEXT, FAINT, NONE = "#14181d", "#e8ebef", "#98a1ac", "#1b2027"
MARGIN, NAME_ROOM, FINDINGS = 24, 190, 8
STEEP = 50
"""Degrees at which the columns' names rise."""


def svg(document: Document) -> str:
    """The matrix as one standalone SVG document; its `title` and `desc` say it for those who can't see it."""
    scene = scene_of(document)
    size = f'width="{scene.width:.0f}" height="{scene.height:.0f}" viewBox="0 0 {scene.width:.0f} {scene.height:.0f}"'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size} font-family="{FAMILY}">']
    lines.append(f"<title>{escape(shown(sentence(document)))}</title>")
    lines.append(f"<desc>{escape('; '.join(shown(one.line) for one in findings(document)))}</desc>")
    lines.append(f'<rect width="100%" height="100%" fill="{scene.ground}" rx="10"/>')
    return "\n".join([*lines, *map(_element, scene.shapes), "</svg>\n"])


def png(document: Document) -> bytes:
    """The same as a PNG, at twice the size for dense screens (a large matrix at its own)."""
    scene = scene_of(document)
    scale = 2 if scene.width * scene.height < 900_000 else 1
    fine = scale * 2  # painted at double size and shrunk: pillow draws lines without anti-aliasing
    image = Image.new("RGB", (math.ceil(scene.width * fine), math.ceil(scene.height * fine)), scene.ground)
    draw = ImageDraw.Draw(image)
    for shape in scene.shapes:
        _paint(image, draw, shape, fine)
    result = io.BytesIO()
    image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX).save(result, "PNG", optimize=True)
    return result.getvalue()


def scene_of(document: Document) -> Scene:
    """Every shape of the picture of `document`."""
    rows, columns = document["sources"], document["targets"]
    most = max(len(rows), len(columns), 1)
    side = 34 if most <= 14 else 26 if most <= 26 else 20
    small = 13 if side > 20 else 11
    left = MARGIN + max([length(shown(name), small) for name in rows if len(name) < 99] or [0])
    left = min(left, MARGIN + NAME_ROOM) + 12
    names = [cut(shown(name), NAME_ROOM, small) for name in columns]
    rise = math.radians(STEEP)
    overhang = max(
        [length(name, small) * math.cos(rise) - (len(names) - at) * side for at, name in enumerate(names)] or [0]
    )
    width = max(620, left + len(columns) * side + max(overhang, 0) + side / 2 + MARGIN)
    scene = Scene(GROUND, width)
    top = _title(scene, document) + max([length(name, small) for name in names] or [0]) * math.sin(rise) + 16
    for at, name in enumerate(names):
        scene.shapes.append(Words(left + at * side + side * 0.55, top - 8, name, small, TEXT, angle=STEEP))
    for at, name in enumerate(rows):
        middle = top + at * side + side / 2
        scene.shapes.append(Words(left - 10, middle, cut(shown(name), NAME_ROOM, small), small, TEXT, right=True))
    _cells(scene, document, left, top, side)
    bottom = _legend(scene, document, top + len(rows) * side + 26)
    scene.height = _findings(scene, document, bottom + 8) + MARGIN - 8
    return scene


def _title(scene: Scene, document: Document) -> float:
    """Sentence and age; returns the y below them."""
    y = MARGIN + 10.0
    for line in wrap(shown(sentence(document)), scene.width - 2 * MARGIN, 17, True)[:4]:
        scene.shapes.append(Words(MARGIN, y, line, 17, TEXT, bold=True))
        y += 24
    ages = [float(cell["age_seconds"]) for cell in document["cells"] if cell["age_seconds"] is not None]
    oldest = f" · oldest cell {max(ages):.1f} s" if ages else ""
    text = f"prober · {shown(document['at'])[:19].replace('T', ' ')} UTC{oldest}"
    scene.shapes.append(Words(MARGIN, y, text, 12, FAINT))
    return y + 14


def _cells(scene: Scene, document: Document, left: float, top: float, side: float) -> None:
    """A tile and a glyph for each cell, a faint hollow where the pair is not probed."""
    cells = {(cell["source"], cell["target"]): look(cell["label"]) for cell in document["cells"]}
    for i, source in enumerate(document["sources"]):
        for j, target in enumerate(document["targets"]):
            _tile(scene, cells.get((source, target)), left + j * side, top + i * side, side - 2)


def _tile(scene: Scene, seen: Look | None, x: float, y: float, side: float) -> None:
    if seen is None:
        scene.shapes.append(Box(x, y, side, side, NONE, 3))
        return
    fill, ink = seen.dark
    scene.shapes.append(Box(x, y, side, side, fill, 3))
    inner, pad = side * 0.62, side * 0.19
    for stroke in strokes(seen.label):
        points = tuple((x + pad + inner * a, y + pad + inner * b) for a, b in stroke)
        thick = max(1.6, side / 12) * (1.6 if len(points) == 1 else 1)
        scene.shapes.append(Stroke(points, ink, thick, seen.label in SOLID))


def _legend(scene: Scene, document: Document, y: float) -> float:
    x = float(MARGIN)
    for seen, count in present(document):
        text = f"{seen.word} {count}"
        room = 26 + length(text, 12) + 22
        if x > MARGIN and x + room > scene.width - MARGIN:
            x, y = MARGIN, y + 26
        _tile(scene, seen, x, y - 9, 18)
        scene.shapes.append(Words(x + 26, y, text, 12, FAINT))
        x += room
    return y + 20


def _findings(scene: Scene, document: Document, y: float) -> float:
    found = findings(document)
    for one in found[:FINDINGS]:
        _tile(scene, one.look, MARGIN, y, 18)
        for line in wrap(shown(one.line), scene.width - 2 * MARGIN - 28, 12):
            scene.shapes.append(Words(MARGIN + 26, y + 9, line, 12, TEXT))
            y += 18
        y += 8
    if len(found) > FINDINGS:
        scene.shapes.append(Words(MARGIN + 26, y + 9, f"and {len(found) - FINDINGS} more", 12, FAINT))
        y += 26
    return y


def _element(shape: Shape) -> str:
    if isinstance(shape, Box):
        place = f'x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" height="{shape.height:.1f}"'
        return f'<rect {place} rx="{shape.radius:g}" fill="{shape.fill}"/>'
    if isinstance(shape, Stroke):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points * (2 if len(shape.points) == 1 else 1))
        fill = shape.colour if shape.solid else "none"
        line = (
            f'stroke="{shape.colour}" stroke-width="{shape.width:.1f}" stroke-linecap="round" stroke-linejoin="round"'
        )
        return f'<polyline points="{points}" fill="{fill}" {line}/>'
    turn = f' transform="rotate({-shape.angle} {shape.x:.1f} {shape.y:.1f})"' if shape.angle else ""
    look_ = f'font-size="{shape.size}" fill="{shape.colour}"' + (' font-weight="bold"' if shape.bold else "")
    anchor = ' text-anchor="end"' if shape.right else ""
    at = f'x="{shape.x:.1f}" y="{shape.y:.1f}" dominant-baseline="central"'
    return f"<text {at} {look_}{anchor}{turn} xml:space={quoteattr('preserve')}>{escape(shape.text)}</text>"


def _paint(image: Image.Image, draw: ImageDraw.ImageDraw, shape: Shape, scale: int) -> None:
    if isinstance(shape, Box):
        box = (shape.x, shape.y, shape.x + shape.width, shape.y + shape.height)
        draw.rounded_rectangle([value * scale for value in box], shape.radius * scale, shape.fill)
    elif isinstance(shape, Stroke):
        _paint_stroke(draw, shape, scale)
    else:
        _paint_words(image, shape, scale)


def _paint_stroke(draw: ImageDraw.ImageDraw, shape: Stroke, scale: int) -> None:
    points = [(x * scale, y * scale) for x, y in shape.points]
    radius = shape.width * scale / 2
    if shape.solid:
        draw.polygon(points, shape.colour)
    draw.line(points, shape.colour, round(radius * 2), joint="curve")
    for x, y in (points[0], points[-1]):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), shape.colour)


def _paint_words(image: Image.Image, shape: Words, scale: int) -> None:
    """Text by a mask that is turned around the point where it begins."""
    face, text = font(shape.size * scale, shape.bold), spelt(shape.text)
    reach = math.ceil(face.getlength(text)) + shape.size * scale
    tall = reach if shape.angle else shape.size * scale
    mask = Image.new("L", (2 * reach, 2 * tall))
    ImageDraw.Draw(mask).text((reach, tall), text, 255, face, "rm" if shape.right else "lm")
    if shape.angle:
        mask = mask.rotate(shape.angle, Image.Resampling.BICUBIC)
    place = (round(shape.x * scale) - reach, round(shape.y * scale) - tall)
    image.paste(Image.new("RGB", mask.size, shape.colour), place, mask)
