"""Run ``ip``, ``bridge``, ``nft`` and ``sysctl`` inside a namespace: by argument list, never through a shell."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from prober.errors import CannotMeasure
from prober.lab import namespaces

_SYSCTLS = Path("/proc/sys")


class CommandFailed(CannotMeasure):
    """A command of the lab failed: the place, the command and what it printed."""


def run(place: str, namespace: int, command: str) -> None:
    """One command of a ``break``, ``heal`` or ``setup`` list, inside `namespace`; CommandFailed with its stderr."""
    words = shlex.split(command)
    if words[0] == "sysctl":
        for setting in words[1:]:
            key, _, value = setting.partition("=")
            sysctl(place, namespace, {key: value})
        return
    ended = _execute(namespace, words, "")
    if ended.returncode != 0:
        raise CommandFailed(f"On {place}, `{command}` failed: {_first_line(ended.stderr)}")


def batch(place: str, namespace: int, program: str, lines: Sequence[str], files: Iterable[int] = ()) -> None:
    """Many lines of ``ip`` or ``bridge`` in one process; `files` are descriptors it needs as ``/proc/self/fd/N``."""
    if not lines:
        return
    ended = _execute(namespace, [program, "-batch", "-"], "\n".join(lines) + "\n", files)
    if ended.returncode != 0:
        failed = re.search(r"Command failed -:(\d+)", ended.stderr)
        line = lines[int(failed[1]) - 1] if failed else lines[0]
        raise CommandFailed(f"On {place}, `{program} {line}` failed: {_first_line(ended.stderr)}")


def sysctl(place: str, namespace: int, settings: dict[str, str]) -> None:
    """Write kernel settings; ``/proc/sys/net`` is that of the namespace of the thread that opens it."""

    def write() -> None:
        for key, value in settings.items():
            path = _SYSCTLS / (key if "/" in key else key.replace(".", "/"))
            try:
                path.write_text(value)
            except OSError as failure:
                raise CommandFailed(f"On {place}, `sysctl {key}={value}` failed: {failure.strerror}") from failure

    namespaces.inside(namespace, write)


def _execute(
    namespace: int, words: Sequence[str], text: str, files: Iterable[int] = ()
) -> subprocess.CompletedProcess[str]:
    """A process started by a thread inside the namespace is inside as well."""

    def start() -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, input=text, capture_output=True, text=True, check=False, pass_fds=tuple(files))

    return namespaces.inside(namespace, start)


def _first_line(stderr: str) -> str:
    return next((line for line in stderr.splitlines() if line.strip()), "it said nothing")
