"""The API's description as a file: ``python -m prober.controller.openapi > openapi.json``."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from prober.controller.app import make_app
from prober.controller.centre import Centre
from prober.settings import load
from prober.store.engine import open_store
from prober.store.schema import upgrade
from prober.targets import parse

SMALLEST = """
zones: [{name: a, cidrs: [192.0.2.0/24]}]
agents: [{name: one, zone: a, addresses: [192.0.2.1]}]
targets: [{name: two, zone: a, address: 192.0.2.2, port: 80}]
probes: [{from: one, to: two}]
policy: {allow: [{network: 192.0.2.0/24, ports: [80]}]}
"""


def document() -> dict[str, Any]:
    """The OpenAPI document of a controller; which network it watches makes no difference."""
    with tempfile.TemporaryDirectory(prefix="prober-openapi-") as folder:
        url = f"sqlite:///{Path(folder) / 'prober.sqlite'}"
        upgrade(url)
        store = open_store(url)
        try:
            targets = parse(SMALLEST)
            return make_app(Centre(load(database=url), store, targets, lambda: targets)).openapi()
        finally:
            store.close()


def text() -> str:
    """The same as the file has it."""
    return json.dumps(document(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
