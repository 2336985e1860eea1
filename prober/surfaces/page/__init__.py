"""The page: an HTML file, a style sheet and ES modules, served as they are; there is no build step.

`FOLDER/index.html` belongs at ``/``, the folder's ``.js`` and ``.css`` under ``/assets/``, all with the header
``Content-Security-Policy: CSP``. The modules talk to ``/api/v1`` of the host they came from and to nothing else; names
reach the document as text alone.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ASSETS = tuple(sorted(path.name for path in FOLDER.iterdir() if path.suffix in (".js", ".css")))
"""The names under ``/assets/``; nothing else of the folder is served."""
