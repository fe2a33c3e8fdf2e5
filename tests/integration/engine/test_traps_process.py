# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traps around the engine: threads, event loops, processes, what killed runs left, what the kernel is busy with."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils import _ledger, _netns
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Failed, Options, Refused, run

from .support import sh

pytestmark = pytest.mark.usefixtures("lab")
LAB = Options(name="lab", prune=True)
NETWORK: dict[str, Any] = {
    "namespaces": ["red"],
    "links": [{"name": "v0", "kind": "veth", "up": True, "peer": {"name": "p0", "netns": "red", "up": True}}],
    "addresses": [{"netns": "red", "dev": "p0", "address": "192.0.2.2/24"}],
    "sysctls": [{"netns": "red", "name": "net.ipv4.conf.p0.proxy_arp", "value": 1}],
}


def links(*where: str) -> set[str]:
    """The names of a namespace's links, but for a fallback device."""
    return {one["ifname"] for one in json.loads(sh("ip", "-j", *where, "link")) if one["ifname"] != "tunl0"}


def test_in_another_thread_it_works_in_that_threads_namespace_and_leaves_the_main_threads_alone() -> None:
    """A socket of pyroute2 0.9 talks to the namespace of the thread that uses it; /proc/self is the main thread's."""
    sh("ip", "netns", "add", "elsewhere")
    main, inside = os.readlink("/proc/self/ns/net"), os.stat("/run/netns/elsewhere").st_ino
    seen: list[Any] = []

    def work() -> None:
        with open("/run/netns/elsewhere", encoding="utf-8") as there:
            _netns.setns(there.fileno())
        seen.append(run(NETWORK, LAB).changed)
        seen.append(run(NETWORK, LAB).changed)
        seen.append(os.stat("/proc/thread-self/ns/net").st_ino)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [True, False, inside]
    assert links("-n", "elsewhere") == {"lo", "v0"} and links("-n", "red") == {"lo", "p0"}
    assert sh("ip", "netns", "exec", "red", "sysctl", "-n", "net.ipv4.conf.p0.proxy_arp").strip() == "1"
    assert os.readlink("/proc/self/ns/net") == main and links() == {"lo"}


def test_inside_a_running_event_loop() -> None:
    """pyroute2 0.9 has a loop of its own and refuses to start it in another."""

    async def work() -> list[bool]:
        return [run(NETWORK, LAB).changed, run(NETWORK, LAB).changed, run({}, LAB).changed]

    assert asyncio.run(work()) == [True, False, True]


WATCHED = """
import json, os, sys
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Options, run
started = []  # by the engine: pyroute2 0.7 asks `uname` and `file` about the machine while it is imported
def watch(event, arguments):
    if event in ("os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.system", "subprocess.Popen"):
        started.append(event)
sys.addaudithook(watch)
for description in json.load(sys.stdin):
    assert run(description, Options(name="lab", prune=True)).changed
assert not started, started
assert len(os.listdir("/proc/self/task")) == 1, "threads"
with open("/proc/self/task/%d/children" % os.getpid()) as file:
    assert not file.read(), "children"
print("alone")
"""


def test_no_process_and_no_thread_is_started() -> None:
    """NetNS forks a process for each namespace (pyroute2 up to 0.8); a fork beside threads can hang."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", WATCHED],
        input=json.dumps([NETWORK, {}]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "alone", done.stderr


def test_a_name_that_is_going_in_the_background_is_waited_for() -> None:
    """EEXIST: the last the plan knew of it is that there is no such link."""

    def occupy(_number: int, op: Any) -> None:
        if op.key.ident == ("v0",):
            sh("ip", "link", "add", "v0", "type", "bridge")
            leaving.append(subprocess.Popen(["sh", "-c", "sleep 0.3; ip link del v0"]))

    leaving: list[Any] = []
    try:
        assert run(NETWORK, LAB, occupy).changed
    finally:
        leaving[0].wait()
    assert links() == {"lo", "v0"} and not run(NETWORK, LAB).changed


def test_what_is_busy_for_a_moment_is_waited_for() -> None:
    """EBUSY: a link that carries a macvlan cannot be the port of a bridge."""
    run({"links": [{"name": "br0", "kind": "bridge"}, {"name": "v0", "kind": "veth", "peer": {"name": "p0"}}]})

    def occupy(_number: int, _op: Any) -> None:
        if not leaving:
            sh("ip", "link", "add", "mac0", "link", "v0", "type", "macvlan")
            with pytest.raises(subprocess.CalledProcessError) as busy:
                sh("ip", "link", "set", "v0", "master", "br0")
            assert "busy" in busy.value.stderr
            leaving.append(subprocess.Popen(["sh", "-c", "sleep 0.3; ip link del mac0"]))

    leaving: list[Any] = []
    try:
        assert run({"links": [{"name": "v0", "master": "br0"}]}, fault=occupy).changed
    finally:
        leaving[0].wait()
    assert json.loads(sh("ip", "-j", "link", "show", "v0"))[0]["master"] == "br0"


KILLED = """
import json, os, signal, sys
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Options, run
def kill(number, op):
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
run(json.load(sys.stdin), Options(name="lab", prune=True), kill)
"""


def test_a_killed_run_blocks_nobody_and_is_cleaned_up_after() -> None:
    """Its lock is the kernel's and ends with it; the ledger was written before its first change."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", KILLED], input=json.dumps(NETWORK), capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert Path(_ledger.FOLDER, "lock").read_text("utf-8").isdigit()
    at_once = LAB._replace(lock_timeout=0)
    assert run(NETWORK, at_once).changed and not run(NETWORK, at_once).changed
    assert run({}, at_once).changed
    assert links() == {"lo"} and not sh("ip", "netns")
    assert not os.path.exists(_ledger.FOLDER)


COUNTING = """
import sys
from pathlib import Path
from ansible_collections.linuxnet.lab.plugins.module_utils._ledger import locked
count = Path(sys.argv[1])
for _turn in range(100):
    with locked(60):
        count.write_text(str(int(count.read_text()) + 1))
"""


def test_the_lock_is_one_runs_alone_though_the_last_one_takes_it_along(tmp_path: Path) -> None:
    count = tmp_path / "count"
    count.write_text("0")
    runs = [subprocess.Popen([sys.executable, "-B", "-c", COUNTING, str(count)]) for _run in range(4)]
    assert [one.wait() for one in runs] == [0, 0, 0, 0]
    assert count.read_text() == "400"
    assert not os.path.exists(_ledger.FOLDER)


BROKEN = {
    "half": b'{"lab": [["link", "", ["v0"], {"befo',
    "garbage": b"\x80\x00\xff\xfe",
    "empty": b"",
    "a list": b"[]",
    "a number": b'{"lab": 5}',
    "no entries": b'{"lab": [["link", "", ["v0"], 7]]}',
    "other entries": b'{"lab": [["link", "", ["v0"], {"was": 1}]]}',
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_ledger_that_cannot_be_read_is_told_and_begun_anew(text: bytes) -> None:
    os.makedirs(_ledger.FOLDER)
    path = Path(_ledger.FOLDER, "ledger.json")
    path.write_bytes(text)
    made = run(NETWORK, LAB)
    assert made.changed and "ledger.json could not be read" in " ".join(made.warnings)
    again = run(NETWORK, LAB)
    assert not again.changed and not again.warnings
    run({}, LAB)
    assert links() == {"lo"} and not path.exists()


def test_an_empty_file_in_the_place_of_a_namespace_is_no_namespace_and_is_used() -> None:
    """A run that is killed between the file and the mount leaves it."""
    Path("/run/netns/red").touch(0)
    with pytest.raises(Refused, match="there is no network namespace red: state it, or create it first"):
        run({section: entries for section, entries in NETWORK.items() if section != "namespaces"}, LAB)
    assert run(NETWORK, LAB).changed and links("-n", "red") == {"lo", "p0"}
    run({}, LAB)
    assert not os.listdir("/run/netns")


def test_a_file_of_somebody_else_in_the_place_of_a_namespace_stays() -> None:
    theirs = Path("/run/netns/red")
    theirs.write_text("theirs", "utf-8")
    with pytest.raises(Failed, match="/run/netns/red is no network namespace; move it away") as failed:
        run({**NETWORK, "namespaces": ["green", "red"]}, LAB)
    assert failed.value.rolled_back and theirs.read_text("utf-8") == "theirs"
    assert links() == {"lo"} and os.listdir("/run/netns") == ["red"]


def test_names_that_are_part_of_another_name_are_not_mixed_up() -> None:
    names = ["red", "red1", "red11", "ed1", "1"]
    run(
        {
            "namespaces": names,
            "links": [{"name": name, "netns": name, "kind": "bridge"} for name in names],
        },
        LAB,
    )
    run({"namespaces": [{"name": "red1", "state": "absent"}, {"name": "1", "state": "absent"}]}, Options(name="lab"))
    assert {one["name"] for one in json.loads(sh("ip", "-j", "netns"))} == {"red", "red11", "ed1"}
    assert all(links("-n", name) == {"lo", name} for name in ("red", "red11", "ed1"))
