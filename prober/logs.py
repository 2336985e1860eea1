"""How every process logs: one line an event, on stderr; readable on a terminal, JSON elsewhere.

structlog brings rich and its highlighter along, a quarter of a second: `get_logger` imports it with the first line
that is written, so that an agent has probed before it tells of it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import structlog

_CHOSEN: list[tuple[str, str]] = []
"""What `configure_later` was told and no line has asked for yet."""


class Logger:
    """structlog's bound logger of this name, made when it is first needed: ``info(event, **values)`` and the others."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, level: str) -> Callable[..., Any]:
        import structlog

        while _CHOSEN:
            configure(*_CHOSEN.pop())
        said: Callable[..., Any] = getattr(structlog.get_logger(self._name), level)
        return said

    def debug(self, event: str, **values: object) -> None:
        """Left out at once where nobody asked for so much."""
        if not _CHOSEN or _CHOSEN[-1][0] == "debug":
            self.__getattr__("debug")(event, **values)


def get_logger(name: str) -> Logger:
    """For modules that are imported before anything is to be logged."""
    return Logger(name)


def prepare() -> None:
    """Import structlog now: for a process that others are forked from."""
    import structlog  # noqa: F401  # it is the import that is wanted


def configure_later(level: str = "info", form: str = "auto") -> None:
    """`configure`, when the first line is written."""
    _CHOSEN[:] = [(level, form)]


def configure(level: str = "info", form: str = "auto") -> None:
    """``form`` is text, json or auto (text on a terminal)."""
    import structlog

    text = form == "text" or (form == "auto" and sys.stderr.isatty())
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if text else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
