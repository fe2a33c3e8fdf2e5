# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Echo servers in network namespaces: start, find again, end.

Each one has a note in /run, with its PID and the time it was started at: a PID alone may be somebody else's by now
(proc(5), /proc/PID/stat, field 22). The socket is made here, so that whatever is wrong with it is told here, and a
server answers from the moment that it is noted.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from typing import IO, Any, NamedTuple, Optional, cast

from . import _echo_program
from ._netns import Namespaces

FOLDER = "/run/linuxnet.lab/echo"
PROGRAM = f"{FOLDER}/echo_server.py"
BACKLOG = 128
_GRACE = 5.0  # seconds to end by itself
_POLL = 0.02


class Server(NamedTuple):
    """What a server shall be."""

    name: str
    netns: str  # canonical
    protocol: str  # tcp (HTTP) or udp
    address: str
    port: int
    node: str  # what it says where it is

    def about(self) -> dict[str, Any]:
        """What it says of itself."""
        return {"name": self.name, "node": self.node, "protocol": self.protocol}


class Note(NamedTuple):
    """A server that has been started."""

    server: Server
    pid: int
    start: int  # clock ticks after boot
    program: str  # digest of its program's text


@cache
def program_text() -> str:
    """The server's program; inside of a module's archive there is no file to run."""
    return inspect.getsource(_echo_program)


def digest() -> str:
    """Tells one version of the program from another."""
    return hashlib.sha256(program_text().encode()).hexdigest()[:16]


# ---- notes --------------------------------------------------------------------------------------------------------


def notes() -> dict[str, Note]:
    """Those of all servers by name, alive or not. A note that cannot be read is as none."""
    found = {}
    with suppress(FileNotFoundError):
        for entry in sorted(os.listdir(FOLDER)):
            if entry.endswith(".json"):
                with suppress(ValueError, TypeError, KeyError, OSError):
                    with open(f"{FOLDER}/{entry}", encoding="utf-8") as file:
                        text = json.load(file)
                    note = Note(Server(**text["server"]), int(text["pid"]), int(text["start"]), str(text["program"]))
                    found[note.server.name] = note
    return found


def _write(path: str, text: str) -> None:
    """A file is there as a whole, or not at all."""
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(f"{path}.new", path)


def _forget(name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(f"{FOLDER}/{name}.json")


def tidy() -> None:
    """When the last server is gone, so is the folder."""
    if not notes():
        with suppress(FileNotFoundError):
            os.unlink(PROGRAM)
        with suppress(OSError):
            os.rmdir(FOLDER)


# ---- processes ----------------------------------------------------------------------------------------------------


def start_time(pid: int) -> int | None:
    """When a process was started, in clock ticks after boot; None for one that is not there, or has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            words = file.read().rpartition(")")[2].split()  # its name may hold anything
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if words[0] in "ZX" else int(words[19])


def alive(note: Note) -> bool:
    """Whether it is still that very process."""
    return start_time(note.pid) == note.start


def inside(note: Note, namespaces: Namespaces) -> bool:
    """Whether it is in the namespace that has the name now: one may have been made anew under the same name."""
    try:
        return os.stat(f"/proc/{note.pid}/ns/net").st_ino == namespaces.inode(note.server.netns)
    except OSError:
        return False


def serves(note: Note, server: Server, namespaces: Namespaces) -> bool:
    """Whether nothing has to be done for this server."""
    return note.server == server and note.program == digest() and alive(note) and inside(note, namespaces)


def end(gone: Iterable[Note]) -> None:
    """End them all at the same time: ask first, insist after a while."""
    left = list(gone)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for note in left:
            _signal(note, number)
        until = time.monotonic() + _GRACE
        while any(alive(note) for note in left) and time.monotonic() < until:
            time.sleep(_POLL)
    for note in left:
        if not alive(note):
            _forget(note.server.name)


def _signal(note: Note, number: int) -> None:
    """To that very process: while it is held, its PID cannot become another's (pidfd_open(2), Linux 5.3)."""
    held = None
    with suppress(OSError, AttributeError):
        held = os.pidfd_open(note.pid)
    try:
        if alive(note) and held is not None:
            signal.pidfd_send_signal(held, number)
        elif alive(note):
            os.kill(note.pid, number)
    except ProcessLookupError:
        pass
    finally:
        if held is not None:
            os.close(held)


def start(server: Server, namespaces: Namespaces) -> Note:
    """Start one; its program is in its place. OSError if its socket cannot be had (address in use, none of this namespace, ...)."""
    with namespaces.entered(server.netns), bound(server) as own:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", PROGRAM, str(own.fileno()), json.dumps(server.about())],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            pass_fds=[own.fileno()], cwd="/", start_new_session=True,
        )  # fmt: skip
    begin = cast(IO[bytes], process.stdin)
    with begin:
        note = Note(server, process.pid, start_time(process.pid) or 0, digest())
        _write(f"{FOLDER}/{server.name}.json", json.dumps({**note._asdict(), "server": server._asdict()}))
        with suppress(BrokenPipeError):
            begin.write(b"go")
    return note


def bound(server: Server) -> socket.socket:
    """The server's socket in the namespace that the thread is in. OSError."""
    family = socket.AF_INET6 if ":" in server.address else socket.AF_INET
    own = socket.socket(family, socket.SOCK_STREAM if server.protocol == "tcp" else socket.SOCK_DGRAM)
    try:
        if server.protocol == "tcp":
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of the last one may linger
        own.bind((server.address, server.port))
        if server.protocol == "tcp":
            own.listen(BACKLOG)
    except OSError:
        own.close()
        raise
    return own


# ---- many ---------------------------------------------------------------------------------------------------------


# what is to be done, and nothing for what is right: {name: (note that is there, server that shall be there)}
Changes = dict[str, tuple[Optional[Note], Optional[Server]]]


def plan(wanted: Iterable[Server], unwanted: Iterable[str], namespaces: Namespaces) -> Changes:
    """Compare servers with those that run. A note without a process counts as none if its server shall go."""
    there = notes()
    changes: Changes = {}
    for server in wanted:
        note = there.get(server.name)
        if note is None or not serves(note, server, namespaces):
            changes[server.name] = (note, server)
    for name in unwanted:
        if name in there:
            changes[name] = (there[name], None)
    return changes


def carry_out(todo: Changes, namespaces: Namespaces) -> tuple[dict[str, Note], list[str]]:
    """End what goes and what changes, then start. The notes of those that were started, and what went wrong."""
    end(note for note, _server in todo.values() if note)
    os.makedirs(FOLDER, mode=0o755, exist_ok=True)
    _write(PROGRAM, program_text())
    started, problems = {}, []
    try:
        for name, (_note, server) in todo.items():
            if server is not None:
                try:
                    started[name] = start(server, namespaces)
                except OSError as error:
                    problems.append(f"{name}: {_socket(server)}: {error.strerror or error}")
    finally:
        tidy()
    return started, problems


def _socket(server: Server) -> str:
    """Where it answers, for a message."""
    where = f" in namespace {server.netns}" if server.netns else ""
    return f"{server.protocol} {server.address} port {server.port}{where}"
