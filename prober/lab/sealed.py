"""Seal this process before it builds a lab: the rights it needs, and a private directory nobody has to clean.

Called first thing, while the process has one thread: ``unshare(CLONE_NEWUSER)`` is refused to any other
(unshare(2)). The process stays in the machine's own *network* namespace, so that its web page can be read.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

from prober.errors import CannotMeasure
from prober.lab import namespaces

_PLACES = ("/mnt", "/media", "/srv", "/opt")
_PACKAGES = {"ip": "iproute2", "bridge": "iproute2", "nft": "nftables"}


def enter() -> Path:
    """Take a user namespace (when not privileged) and a mount namespace; answer with a directory of their own.

    Whatever is written there, Unix sockets included, vanishes with the last process of the lab, however it ends.
    Where the kernel refuses mounts it is an ordinary temporary directory, removed at exit. Raises CannotMeasure
    with its cure when no namespace may be made or a program is missing.
    """
    _demand_programs()
    _demand_network_namespaces()
    try:
        return _private_directory()
    except OSError:  # mounts may be refused (AppArmor, a seccomp profile): only the tidiness after kill -9 is lost
        path = Path(tempfile.mkdtemp(prefix="prober-lab-"))
        atexit.register(_remove, path, os.getpid())
        return path


def refusal() -> str:
    """Why no lab can be built here, with the cure; '' where one can. A child tries: a user namespace is for good."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, _why_not().encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as told:
        said = told.read()
    os.waitpid(pid, 0)
    return said


def _why_not() -> str:
    try:
        _demand_programs()
        _demand_network_namespaces()
    except CannotMeasure as why:
        return str(why)
    return ""


def _demand_programs() -> None:
    """The programs that configure the lab, each missing one named with its package."""
    search = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    packages = {package for program, package in _PACKAGES.items() if not shutil.which(program, path=search)}
    if packages:
        names = " ".join(sorted(packages))
        raise CannotMeasure(f"The lab needs {names}. Install with: apt-get install -y {names}")
    os.environ["PATH"] = search


def _demand_network_namespaces() -> None:
    """Become root of a user namespace unless this process may make network namespaces as it is."""
    if _may_make_namespaces():
        return
    try:
        _enter_user_namespace()
        os.close(namespaces.anonymous())
    except OSError as failure:
        raise CannotMeasure(
            f"The lab needs network namespaces and this process may not make them ({failure}). "
            "Run it as root, or allow user namespaces: sysctl -w user.max_user_namespaces=15000 and, "
            "on Debian and Ubuntu, kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0"
        ) from failure


def _may_make_namespaces() -> bool:
    """Try in a child: a thread would still be ending when ``unshare(CLONE_NEWUSER)`` asks for a single one."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            namespaces.unshare(namespaces.CLONE_NEWNET)
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1] == 0


def _enter_user_namespace() -> None:
    """Be uid 0 and gid 0 of a new user namespace: one id each, all that needs no privilege (user_namespaces(7))."""
    user, group = os.geteuid(), os.getegid()
    namespaces.unshare(namespaces.CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def _private_directory() -> Path:
    """A tmpfs of our own over a directory nothing of ours lives in; seen by this process and its children only."""
    place = _place()
    namespaces.unshare(namespaces.CLONE_NEWNS)
    namespaces.mount("none", "/", "", namespaces.MS_REC | namespaces.MS_PRIVATE)
    flags = namespaces.MS_NOSUID | namespaces.MS_NODEV
    namespaces.mount("prober-lab", str(place), "tmpfs", flags, "mode=0700,size=256m")
    return place


def _place() -> Path:
    """A directory that hides nothing this process needs, an empty one if there is one."""
    needed = [Path(one).resolve() for one in (sys.prefix, sys.base_prefix, str(Path.cwd()), __file__, *sys.argv[:1])]
    places = [
        place
        for place in map(Path, _PLACES)
        if os.access(place, os.R_OK | os.X_OK) and place.resolve() == place and place.is_dir()
        if not any(one.is_relative_to(place) for one in needed)
    ]
    if not places:
        raise FileNotFoundError("no directory to mount over")
    return next((place for place in places if not any(place.iterdir())), places[0])


def _remove(path: Path, owner: int) -> None:
    """At exit, and only in the process that made it: a forked child must not empty it."""
    if os.getpid() == owner:
        shutil.rmtree(path, ignore_errors=True)
