"""The OpenAPI document as a page that people read: HTML and two style sheets of `prober.surfaces.page`, no script.

A viewer of somebody else's is half a megabyte of script that needs `unsafe-inline`; this needs neither.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

Document = Mapping[str, Any]

CSP = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""``Content-Security-Policy`` of the page."""


HEAD = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="dark light">
  <title>prober: the API</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="/assets/style.css">
  <link rel="stylesheet" href="/assets/manual.css">
</head>"""
HOME = '<a class="brand" href="/">prober</a>'
AS_JSON = '<a href="/api/v1/openapi.json">openapi.json</a>'
ALL = "Requests carry <code>Authorization: Bearer …</code>; whatever answers to GET answers to HEAD."


def render(document: Document) -> str:
    """The whole page. Every text of the document is escaped; ``code`` in backticks is set as code."""
    operations = list(_operations(document))
    info = document["info"]
    body = "\n".join(
        [
            f'<header class="top">{HOME}<h1>API {escape(info["version"])}</h1>{AS_JSON}</header>',
            f"<main><p>{_prose(info.get('description', ''))} {ALL}</p>",
            f'<nav class="card" aria-label="Operations"><ul>{"".join(_link(*one) for one in operations)}</ul></nav>',
            *(_operation(*one) for one in operations),
            "<h2>Documents</h2>",
            *(_schema(name, one) for name, one in document["components"]["schemas"].items()),
            "</main>",
        ]
    )
    return f'{HEAD}\n<body class="manual">\n{body}\n</body>\n</html>\n'


def _operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            yield method.upper(), path, told


def _link(method: str, path: str, told: Document) -> str:
    return f'<li><a href="#{_id(told)}"><b>{method}</b> <code>{escape(path)}</code></a></li>'


def _id(told: Document) -> str:
    return escape(str(told["operationId"]))


def _operation(method: str, path: str, told: Document) -> str:
    sent = told.get("requestBody", {}).get("content", {})
    rows = [
        (one["name"], one["in"], _sort(_given(one["schema"])), one.get("description", ""))
        for one in told.get("parameters", ())
    ]
    rows += [("", "body", _sort(one.get("schema", {})), media) for media, one in sent.items()]
    answers = "".join(_answer(code, one) for code, one in sorted(told["responses"].items()))
    return (
        f'<section class="card" id="{_id(told)}"><h2><b>{method}</b> <code>{escape(path)}</code></h2>'
        f"<p>{_prose(told.get('description', ''))}</p>"
        f"{_table(('parameter', 'in', 'type', 'meaning'), rows)}<dl>{answers}</dl></section>"
    )


def _given(schema: Document) -> Document:
    """The schema of a parameter where it is given: null is only FastAPI's word for one that is left out."""
    sorts = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    return sorts[0] if len(sorts) == 1 else schema


def _answer(code: str, told: Document) -> str:
    forms = told.get("content", {})
    sorts = " · ".join(f"<code>{escape(media)}</code> {_sort(one.get('schema', {}))}" for media, one in forms.items())
    examples = "".join(
        f"<details><summary>an example</summary><pre>{escape(json.dumps(one['example'], indent=2, ensure_ascii=False))}"
        "</pre></details>"
        for one in forms.values()
        if "example" in one
    )
    return f"<dt>{escape(code)}</dt><dd>{_prose(told.get('description', ''))} {sorts}{examples}</dd>"


def _schema(name: str, told: Document) -> str:
    required = told.get("required", ())
    rows = [
        (key, "always" if key in required else "", _sort(one), one.get("description", ""))
        for key, one in told.get("properties", {}).items()
    ]
    return (
        f'<section class="card" id="{escape(name)}"><h3>{escape(name)}</h3>'
        f"<p>{_prose(told.get('description', ''))}</p>{_table(('key', 'there', 'type', 'meaning'), rows)}</section>"
    )


def _table(titles: tuple[str, ...], rows: list[tuple[str, str, str, str]]) -> str:
    """`rows` are name, place, type (HTML already), meaning; nothing where there is none."""
    if not rows:
        return ""
    head = "".join(f"<th>{title}</th>" for title in titles)
    lines = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(place)}</td><td>{sort}</td><td>{_prose(meaning)}</td></tr>"
        for name, place, sort, meaning in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'


def _sort(schema: Document) -> str:
    """A schema in words, as HTML: what it is, its limits, a link to what it refers to."""
    if "$ref" in schema:
        name = escape(str(schema["$ref"]).rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_sort(one) for one in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return " or ".join(f"<code>{escape(str(one))}</code>" for one in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_sort(schema.get('items', {}))}"
    sort = escape(str(schema.get("format") or schema.get("type") or "any"))
    limits = [schema.get(one) for one in ("minimum", "maximum", "default")]
    least, most = ("" if one is None else f"{one:g}" for one in limits[:2])
    span = f" {least}…{most}" if least or most else ""
    return f"{sort}{span}" + (f", else {escape(json.dumps(limits[2]))}" if limits[2] is not None else "")


def _prose(text: str) -> str:
    return re.sub(r"`{1,2}([^`]+)`{1,2}", r"<code>\1</code>", escape(text, quote=False)).replace("\n\n", "</p><p>")
