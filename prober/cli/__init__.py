"""The command line: arguments -> one call -> print. It decides nothing about networks.

Data goes to stdout, messages to stderr. Exit codes: 0 all healthy, 1 some pair fails, 2 usage, 3 could not measure,
4 configuration invalid, 130 interrupted.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # prober does no linear algebra; a lab must start single-threaded


def main() -> None:
    """The console script. Every error a person can mend is one sentence on stderr; nothing here prints a traceback."""
    from prober.errors import ProberError

    try:
        from prober.cli.commands import app

        code = app(standalone_mode=False, prog_name="prober")
    except ProberError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:  # noqa: BLE001  # a person gets a sentence
        sys.exit(_usage(error))
    sys.exit(code if isinstance(code, int) else 0)


def _usage(error: Exception) -> int:
    """A mistake in the arguments says so and leaves with 2; anything else is a fault of prober's own."""
    if hasattr(error, "show") and hasattr(error, "exit_code"):
        error.show()
        return 2
    if type(error).__name__ == "Abort":
        return 130
    print(f"prober failed ({type(error).__name__}: {error}); PROBER_LOG_LEVEL=debug shows where", file=sys.stderr)
    if os.environ.get("PROBER_LOG_LEVEL") == "debug":
        raise error
    return 3
