"""Networks of both families against the library; and who reads a document has no need of numpy."""

from __future__ import annotations

import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from prober.address import Network, holds

DEMO = Path(__file__).parents[1] / "targets.yaml"
NETWORKS = st.one_of(
    st.builds(lambda at, length: ip_network((at, length), strict=False), st.integers(0, 255), st.integers(24, 32)),
    st.builds(lambda at, length: ip_network((2**127 + at, length), strict=False), st.integers(0, 255),
              st.integers(120, 128)),
)  # fmt: skip


@given(NETWORKS, NETWORKS)
def test_a_network_holds_another_where_the_library_says_so(one: Network, other: Network) -> None:
    assert holds(one, other) == (one.version == other.version and other.subnet_of(one))
    assert holds(one, one)


def test_a_document_is_checked_without_numpy() -> None:
    program = f"import sys; from prober.cli import main; sys.argv = ['prober', 'check', {str(DEMO)!r}]\n"
    program += "try: main()\nfinally: print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0].endswith("5 objectives.") and done.stdout.splitlines()[-1] == "False", done
