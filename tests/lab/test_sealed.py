"""Nothing of a lab is left, however it ends, as root and without any privilege; and what is missing is named."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from children import Sealed, in_child

from prober.errors import CannotMeasure
from prober.lab import sealed

LAB = """
import json, os, socket, sys, time
sys.path[:0] = sys.argv[1:]
from dialling import dial
from prober.lab import incident, sealed
from prober.lab.topology import Lab

place = sealed.enter()
told = incident.load("incident")
with Lab(told.network) as lab:
    def sleep_with_a_socket():
        opened = socket.socket(socket.AF_UNIX)
        opened.bind(str(place / f"{os.getpid()}.sock"))
        opened.listen()
        time.sleep(120)
    children = [lab.fork(name, sleep_with_a_socket) for name in told.network.agents]
    (place / "state").write_text("x")
    lab.run(told.break_steps)
    calls = [(source, "10.4.76.34", 8080) for source in ("firewall", "vm")]
    outcomes = dial(lab, calls)
    inodes = [os.fstat(one).st_ino for one in lab.namespaces.values()]
    print(json.dumps([str(place), os.geteuid(), children, inodes, outcomes]), flush=True)
    time.sleep(120)
"""

ENTERED = """
import os, sys
sys.path[:0] = sys.argv[1:]
from prober.lab import sealed

user, net = os.readlink("/proc/self/ns/user"), os.readlink("/proc/self/ns/net")
sealed.enter()
print(os.geteuid(), user != os.readlink("/proc/self/ns/user"), net == os.readlink("/proc/self/ns/net"))
"""

# Linux 5.12 lets a process map its parent's uid 0 only if it has CAP_SETFCAP (user_namespaces(7)); a test run by
# an ordinary user needs no such thing.
UNPRIVILEGED = ["setpriv", "--bounding-set=-all,+setfcap", "--inh-caps=-all"] if os.geteuid() == 0 else []

PRIVILEGES = [pytest.param(UNPRIVILEGED, id="rootless")]
PRIVILEGES += [pytest.param([], id="root")] if os.geteuid() == 0 else []


def machine() -> list[str]:
    """The machine's own links, addresses and routes."""
    asked = (["ip", "-j", "addr"], ["ip", "-j", "route", "show", "table", "all"])
    texts = [subprocess.run(words, capture_output=True, text=True, check=True).stdout for words in asked]
    return [*(str([(one.get("ifname"), one.get("addr_info")) for one in json.loads(texts[0])]),), texts[1]]


def users_of(inodes: set[int]) -> list[int]:
    """The processes that are in one of these network namespaces, or hold it open."""
    users = []
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            links = [process / "ns/net", *_listed(process / "fd")]
            if any(_inode(link) in inodes for link in links):
                users.append(int(process.name))
    return users


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return []  # it ended meanwhile, or it is another user's and so not ours


def _inode(link: Path) -> int:
    try:
        text = os.readlink(link)
    except OSError:
        return 0  # as above
    return int(text[5:-1]) if text.startswith("net:[") else 0


def alive(pid: int) -> bool:
    """A process that still runs; one that waits to be reaped by its new parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("privilege", PRIVILEGES)
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda one: one.name)
def test_a_lab_that_ends_in_any_way_leaves_no_process_namespace_or_file(
    privilege: list[str], ending: signal.Signals, sealed_child: Sealed
) -> None:
    before = machine()
    paths = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]
    command = [*privilege, sys.executable, "-c", LAB, *paths]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as lab:
        assert lab.stdout
        line = lab.stdout.readline()
        assert line, "the lab did not start"
        place, _, children, inodes, outcomes = json.loads(line)
        assert outcomes == ["times out", "connects"]
        assert set(children) <= set(users_of(set(inodes)))
        assert not (Path(place) / "state").exists(), "the lab's files are seen outside it"
        lab.send_signal(ending)
        lab.wait(10)
    until = time.monotonic() + 3
    while any(alive(pid) for pid in children) and time.monotonic() < until:
        time.sleep(0.02)
    assert [pid for pid in children if alive(pid)] == []
    assert users_of(set(inodes)) == []
    assert machine() == before
    assert not list(Path(place).glob("*.sock"))


def test_without_privilege_the_process_becomes_root_of_a_user_namespace_of_its_own(sealed_child: Sealed) -> None:
    command = [*UNPRIVILEGED, sys.executable, "-c", ENTERED, str(Path(__file__).parents[2])]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.stdout.strip() == "0 True True", ended.stderr


def test_a_missing_program_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "_PACKAGES", {"no-such-program": "its-package", "ls": "coreutils"})
    with pytest.raises(CannotMeasure) as caught:
        in_child(sealed.enter)
    assert str(caught.value) == "The lab needs its-package. Install with: apt-get install -y its-package"


def test_where_the_kernel_allows_no_namespaces_the_sentence_says_what_would(sealed_child: Sealed) -> None:
    def live() -> Any:
        sealed._enter_user_namespace()  # its limits are its own: the machine's stay as they are
        for kind in ("net", "user"):
            Path(f"/proc/sys/user/max_{kind}_namespaces").write_text("0")
        with pytest.raises(CannotMeasure) as caught:
            sealed.enter()
        return str(caught.value)

    message = in_child(live)
    assert message.startswith("The lab needs network namespaces and this process may not make them (")
    assert "Run it as root, or allow user namespaces: sysctl -w user.max_user_namespaces=15000" in message


def test_where_mounts_are_refused_the_directory_is_an_ordinary_one_removed_at_exit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sealed, "_PLACES", ("/no/such/place",))

    def live() -> tuple[str, bool, bool]:
        place = sealed.enter()
        (place / "state").write_text("x")
        there = place.is_dir()
        sealed._remove(place, os.getpid() + 1)  # a forked child's exit
        kept = place.is_dir()
        sealed._remove(place, os.getpid())
        return str(place), there and kept, place.exists()

    place, there, left = in_child(live)
    assert Path(place).name.startswith("prober-lab-")
    assert there
    assert not left
