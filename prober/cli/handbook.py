"""docs/verdicts.md on stdout, from the words in the code and the last catalogue: `make handbook`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from prober.confusion import handbook


def main(files: Sequence[str]) -> None:
    """`files` are what `lab run --all --write` wrote: with agents at the target's side, and without."""
    with_agents, without = (json.loads(Path(one).read_text()) for one in files)
    sys.stdout.write(handbook(with_agents, without))


if __name__ == "__main__":
    main(sys.argv[1:])
