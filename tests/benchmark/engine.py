# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine as a contestant, and where its time goes.

    engine.py start|build|rerun|teardown N [--times FILE | --profile FILE]  (--times: JSON, --profile: pstats)

The engine knows nothing of being measured. With --times, its functions are wrapped from here: each stage of a run
(stages do not overlap), and in each stage the time in the kernel, in encoding and in decoding. That costs some time
itself, so it is a run of its own.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import floor

_before_imports = time.perf_counter()
from ansible_collections.linuxnet.lab.plugins.module_utils import (
    _apply,
    _engine,
    _guard,
    _ledger,
    _netlink,
    _netns,
)

IMPORTS = time.perf_counter() - _before_imports
NAME = "benchmark"
_clock = time.perf_counter


def description(size: int) -> dict[str, Any]:
    """The network of the benchmark, as a user states it."""
    names = [floor.namespace(number) for number in range(size)]
    return {
        "namespaces": names,
        "links": [
            {"name": floor.BRIDGE, "kind": "bridge", "up": True},
            *(
                {
                    "name": floor.outside(number),
                    "kind": "veth",
                    "master": floor.BRIDGE,
                    "up": True,
                    "peer": {"name": floor.INSIDE, "netns": name, "up": True},
                }
                for number, name in enumerate(names)
            ),
            *({"name": "lo", "netns": name, "up": True} for name in names),
        ],
        "addresses": [
            {"dev": floor.BRIDGE, "address": f"{floor.BRIDGE_ADDRESS}/{floor.LENGTH}"},
            *(
                {"netns": name, "dev": floor.INSIDE, "address": f"{floor.address(number)}/{floor.LENGTH}"}
                for number, name in enumerate(names)
            ),
        ],
        "routes": [{"netns": name, "dst": "default", "via": floor.BRIDGE_ADDRESS} for name in names],
    }


def work(phase: str, size: int) -> None:
    """One phase: one call of the engine. `start` is there to be measured itself: imports only."""
    if phase == "start":
        return
    wanted = {} if phase == "teardown" else description(size)
    result = _engine.run(wanted, _engine.Options(name=NAME, prune=True))
    if result.changed != (phase != "rerun"):
        raise SystemExit(f"{phase}: changed is {result.changed}")


# ---- where the time goes ------------------------------------------------------------------------------------------


class Times:
    """Self time by (stage, layer). A wrapped function's time is taken off the one that called it."""

    def __init__(self) -> None:
        self.spent: dict[tuple[str, str], float] = defaultdict(float)
        self.calls: dict[tuple[str, str], int] = defaultdict(int)
        self.place = ("the rest", "own")
        self.since = _clock()
        self.missing: list[str] = []

    def begin(self) -> None:
        """From now on."""
        self.spent.clear()
        self.since = _clock()

    def _switch(self, place: tuple[str, str]) -> tuple[str, str]:
        now, before = _clock(), self.place
        self.spent[before] += now - self.since
        self.place, self.since = place, now
        return before

    def measured(self, function: Callable[..., Any], stage: Any = None, layer: str = "own") -> Callable[..., Any]:
        """The same function, on the clock. A stage is a name, or a function of the arguments that gives it."""

        def timed(*args: Any, **named: Any) -> Any:
            place = ((stage(*args) if callable(stage) else stage) or self.place[0], layer)
            self.calls[place] += 1
            before = self._switch(place)
            try:
                return function(*args, **named)
            finally:
                self._switch(before)

        return timed

    def wrap(self, owner: Any, name: str, stage: Any = None, layer: str = "own") -> None:
        """Put a function on the clock where it is looked up. What the engine does not have any more is noted."""
        function = getattr(owner, name, None)
        if function is None:
            self.missing.append(f"{getattr(owner, '__name__', owner)}.{name}")
        else:
            setattr(owner, name, self.measured(function, stage, layer))

    def report(self) -> dict[str, Any]:
        """{stage: {layer: seconds}}, {stage: {layer: calls}}"""
        self._switch(self.place)
        spent: dict[str, dict[str, float]] = defaultdict(dict)
        calls: dict[str, dict[str, int]] = defaultdict(dict)
        for (stage, layer), seconds in self.spent.items():
            spent[stage][layer] = seconds
        for (stage, layer), number in self.calls.items():
            calls[stage][layer] = number
        return {"seconds": spent, "calls": calls, "missing": self.missing}


class _Substitute:
    """A module or library, of which some functions are on the clock."""

    def __init__(self, original: Any, functions: dict[str, Any]) -> None:
        self.__dict__.update(functions)
        self._original = original

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


def instrument(times: Times) -> None:
    """Wrap the engine's stages, and its ways to the kernel."""
    sent = {"yes": False}  # from the first op on, looking and planning are verification

    def or_verify(what: str) -> Callable[..., str]:
        return lambda *_args: f"verify: {what}" if sent["yes"] else what

    def sending(run: Any, batch: Any, *_rest: Any) -> str:
        sent["yes"] = True
        return f"apply: {batch[0].action} {batch[0].key.kind} and what follows" if batch else "apply: nothing"

    times.wrap(_engine, "describe", "read the description")
    times.wrap(_apply, "snapshot", or_verify("look"))
    times.wrap(_apply, "plan", or_verify("plan"))
    times.wrap(_apply.Run, "_send", sending)
    times.wrap(_apply.Run, "_apply", "apply: sort into batches")
    times.wrap(_apply.Run, "_let_go", "apply: delete the links as one group")
    times.wrap(_apply.World, "close", "let the removed namespaces go")
    times.wrap(_engine, "probe", "probe")
    times.wrap(_engine, "_result", "result")
    times.wrap(_engine, "_let_go", "ledger")
    times.wrap(_engine, "_note", "ledger")
    for name in ("__init__", "begin", "save", "settle", "forget_others"):
        times.wrap(_ledger.Ledger, name, "ledger")
    times.wrap(_guard, "objections", "guard")
    times.wrap(_guard, "find_way", "guard")

    times.wrap(_netlink, "encode", None, "encode")
    times.wrap(_netlink, "decode", None, "decode")
    for name, layer in (("dump", "decode"), ("get", "decode"), ("change", "encode")):
        times.wrap(_netlink.Channel, name, None, layer)
    if hasattr(_netlink, "socket"):
        original = _netlink.socket.socket
        methods = {
            name: times.measured(getattr(original, name), None, "kernel")
            for name in ("send", "recv", "recv_into", "close")
        }
        timed = type("socket", (original,), methods)
        made = times.measured(timed, None, "kernel")
        _netlink.socket = _Substitute(_netlink.socket, {"socket": made})
    if hasattr(_netns, "_libc"):
        calls = ("mount", "umount2", "unshare", "setns")
        functions = {name: times.measured(getattr(_netns._libc, name), None, "kernel") for name in calls}
        _netns._libc = _Substitute(_netns._libc, functions)
        system = ("open", "close", "stat", "unlink", "scandir", "dup")
        _netns.os = _Substitute(os, {name: times.measured(getattr(os, name), None, "kernel") for name in system})
        _apply.os = _netns.os


def main(phase: str, size: int, extra: str = "", file: str = "") -> None:
    """One phase, as a process of its own."""
    if extra == "--profile":
        import cProfile

        profile = cProfile.Profile()
        profile.runcall(work, phase, size)
        profile.dump_stats(file)
    elif extra == "--times":
        times = Times()
        instrument(times)
        times.begin()
        work(phase, size)
        report = times.report()
        report["seconds"]["import pyroute2 and the engine"] = {"own": IMPORTS}
        with open(file, "w", encoding="utf-8") as out:
            json.dump(report, out)
    else:
        work(phase, size)


if __name__ == "__main__":
    floor.raise_descriptor_limit()
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
