# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several hosts in one test: each is a process in a network of its own, with a /run of its own."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import yaml

from ..engine.support import own_network, sh

VARIABLES = Path(__file__).parents[3] / "roles/pod_network/vars/main.yml"
_fork = multiprocessing.get_context("fork")


class Host:
    """Runs functions of this process in a network of its own. What they raise is raised here."""

    def __init__(self, pid: int, pipe: Connection) -> None:
        self.pid = pid
        self.pipe = pipe

    def call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """The function's result. It has to be one of a module, and its result one that can be pickled."""
        self.start(function, *arguments, **named)
        return self.result()

    def start(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> None:
        """Like call(), without waiting."""
        self.pipe.send((function, arguments, named))

    def result(self) -> Any:
        """What start() has led to."""
        result, error = self.pipe.recv()
        if error is not None:
            raise error
        return result

    def sh(self, command: str, check: bool = True) -> str:
        """The output of a command, given in one line."""
        return str(self.call(sh, *command.split(), check=check))


def _serve(pipe: Connection) -> None:
    with own_network():
        pipe.send(os.getpid())
        while True:
            asked = pipe.recv()
            if asked is None:
                return
            function, arguments, named = asked
            try:
                answer = (function(*arguments, **named), None)
            except Exception as error:
                answer = (None, RuntimeError(f"{type(error).__name__}: {error}"))
            pipe.send(answer)


@contextmanager
def host() -> Iterator[Host]:
    """One host, until the end of the block."""
    ours, theirs = _fork.Pipe()
    process = _fork.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Host(ours.recv(), ours)
    finally:
        ours.send(None)
        process.join(10)
        process.kill()
        process.join()


@contextmanager
def hosts(*names: str) -> Iterator[dict[str, Host]]:
    """Several of them, by name."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(host()) for name in names}


def look() -> dict[str, Any]:
    """What the role looks at before it plans, with its own command."""
    command = yaml.safe_load(VARIABLES.read_text())["pod_network_command"]
    found: dict[str, Any] = json.loads(sh("sh", "-c", command))
    return found


def cable(one: Host, name: str, other: Host, other_name: str) -> None:
    """A link between two hosts, up at both ends."""
    one.sh(f"ip link add {name} type veth peer name {other_name} netns {other.pid}")
    one.sh(f"ip link set {name} up")
    other.sh(f"ip link set {other_name} up")
