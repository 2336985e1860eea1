"""Take the README's pictures from a demo of their own: `make pictures` writes page.png and why.png beside this file."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, sync_playwright
from rich.console import Console

from prober.surfaces import terminal

HERE = Path(__file__).parent
CHROMIUM = Path("/usr/bin/chromium")
PATIENCE = 40.0
"""Seconds within which the demo must have broken, and been looked into."""


def main() -> int:
    """Start a demo that stays broken for a while, look at it, end it."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{one.getsockname()[1]}"
    command = [sys.executable, "-m", "prober", "lab", "demo", "--listen", address, "--hold", "30"]
    demo = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        path = broken(f"http://{address}")
        with sync_playwright() as tools:
            browser = tools.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            page(browser, f"http://{address}")
            why(browser, path)
            browser.close()
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait()
    return 0


def broken(url: str) -> dict[str, Any]:
    """The path firewall → ingress once it fails and its experiments are over. Raises `TimeoutError`."""
    deadline = time.monotonic() + PATIENCE
    with httpx.Client(base_url=url, trust_env=False, transport=httpx.HTTPTransport(retries=8)) as http:
        while time.monotonic() < deadline:
            path: dict[str, Any] = http.get("/api/v1/paths/firewall/ingress").json()
            over = [one["state"] == "finished" for one in path["experiments"]]
            if path["verdict"] and path["verdict"]["label"] != "healthy" and over and all(over):
                return path
            time.sleep(0.2)
    raise TimeoutError(f"the demo at {url} was not broken within {PATIENCE:.0f} s")


def page(browser: Browser, url: str) -> None:
    """The page with the ladder of the broken cell."""
    tab = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme="dark")
    tab.goto(f"{url}/#/path/firewall/ingress")
    tab.locator("h1", has_text="paths fail").wait_for()
    tab.get_by_text("Culprit").wait_for()
    tab.screenshot(path=HERE / "page.png")


def why(browser: Browser, path: dict[str, Any]) -> None:
    """`prober why firewall ingress` as a terminal of 100 columns shows it."""
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=100, file=nowhere, force_terminal=True, color_system="truecolor")
        console.print(terminal.ladder(path))
    tab = browser.new_page(viewport={"width": 1240, "height": 900})
    tab.set_content(f"<body style='margin:0'>{console.export_svg(title='prober why firewall ingress')}</body>")
    tab.locator("svg").screenshot(path=HERE / "why.png")


if __name__ == "__main__":
    sys.exit(main())
