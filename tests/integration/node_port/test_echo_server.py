# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Echo servers in namespaces: they run as stated, nothing else is ended, and nothing is left of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..engine.support import lab, sh
from ..modules.test_modules import module
from .network import ask, ask_udp, stop

__all__ = ["lab"]
FOLDER = Path("/run/linuxnet.lab/echo")
WEB = {"name": "web", "netns": "red", "port": 9000}
DNS = {"name": "dns", "netns": "red", "port": 9000, "protocol": "udp", "node": "vms105"}


@pytest.fixture
def red(lab: None) -> Iterator[None]:
    """A namespace, whose address is 192.0.2.1 from the host's 192.0.2.2."""
    for line in (
        "ip netns add red",
        "ip link add v0 type veth peer name eth0 netns red",
        "ip address add 192.0.2.2/24 dev v0",
        "ip link set v0 up",
        "ip -n red link set lo up",
        "ip -n red link set eth0 up",
        "ip -n red address add 192.0.2.1/24 dev eth0",
    ):
        sh(*line.split())
    yield
    stop()


def run(*servers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return module("echo_server", servers=list(servers), **more)


def actions(answer: dict[str, Any]) -> dict[str, str]:
    assert not answer.get("failed"), answer
    return {server["name"]: server["action"] for server in answer["servers"]}


def pids(answer: dict[str, Any]) -> dict[str, int]:
    return {server["name"]: server["pid"] for server in answer["servers"]}


def runs(pid: int) -> bool:
    """Whether the process serves; one that nobody has asked about its end does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_servers_say_who_they_are_and_whom_they_see(red: None) -> None:
    answer = run(WEB, DNS)
    assert answer["changed"] and actions(answer) == {"web": "started", "dns": "started"}
    web, dns = ask("", "192.0.2.1", 9000), ask_udp("", "192.0.2.1", 9000)
    assert (web["name"], web["client"], web["server"], web["server_port"]) == ("web", "192.0.2.2", "192.0.2.1", 9000)
    assert (web["node"], web["protocol"], web["method"]) == (os.uname().nodename, "tcp", "GET")
    assert (dns["name"], dns["node"], dns["client"], dns["protocol"]) == ("dns", "vms105", "192.0.2.2", "udp")
    assert ask("red", "127.0.0.1", 9000)["client"] == "127.0.0.1"
    inside = {int(pid) for pid in sh("ip", "netns", "pids", "red").split()}
    assert inside == set(pids(answer).values())


def test_a_second_run_changes_nothing(red: None) -> None:
    planned = run(WEB, DNS, check=True)
    assert planned["changed"] and actions(planned) == {"web": "started", "dns": "started"} and not FOLDER.exists()
    first, again = run(WEB, DNS), run(WEB, DNS)
    assert first["diff"] == planned["diff"]
    assert not again["changed"] and pids(again) == pids(first) and again["diff"] == {"before": {}, "after": {}}
    assert not run(WEB)["changed"] and runs(pids(first)["dns"])  # the others stay, unless pruned


def test_what_differs_is_restarted(red: None) -> None:
    first = run(WEB, DNS)
    moved = run({**WEB, "port": 9001}, DNS)
    assert actions(moved) == {"web": "restarted", "dns": "none"}
    assert moved["diff"]["before"]["web"]["port"] == 9000 and moved["diff"]["after"]["web"]["port"] == 9001
    assert not runs(pids(first)["web"]) and ask("", "192.0.2.1", 9001)["name"] == "web"
    with pytest.raises(ConnectionRefusedError):
        ask("", "192.0.2.1", 9000)


def test_what_has_died_is_started_again(red: None) -> None:
    first = pids(run(WEB))
    os.kill(first["web"], signal.SIGKILL)
    assert actions(run(WEB)) == {"web": "restarted"}
    assert ask("", "192.0.2.1", 9000)["name"] == "web"


def test_a_namespace_that_was_made_anew_has_its_server_again(red: None) -> None:
    first = pids(run(WEB))
    sh("ip", "netns", "delete", "red")
    sh("ip", "netns", "add", "red")
    sh("ip", "-n", "red", "link", "set", "lo", "up")
    answer = run(WEB)
    assert actions(answer) == {"web": "restarted"} and not runs(first["web"])
    assert ask("red", "127.0.0.1", 9000)["name"] == "web"
    sh("ip", "netns", "delete", "red")
    assert actions(module("echo_server", state="absent")) == {"web": "ended"}
    assert not runs(pids(answer)["web"])


def test_nothing_is_left(red: None) -> None:
    first = pids(run(WEB, DNS))
    assert actions(run(WEB, prune=True)) == {"web": "none"} and not runs(first["dns"])
    assert sorted(path.name for path in FOLDER.iterdir()) == ["echo_server.py", "web.json"]
    planned = module("echo_server", check=True, state="absent")
    assert actions(planned) == {"web": "ended"} and runs(first["web"])
    assert actions(module("echo_server", state="absent")) == {"web": "ended"}
    assert not runs(first["web"]) and not FOLDER.exists() and sh("ip", "netns", "pids", "red") == ""
    assert not module("echo_server", state="absent")["changed"]


def test_some_of_them_end(red: None) -> None:
    first = pids(run(WEB, DNS))
    assert actions(module("echo_server", state="absent", servers=[{"name": "dns"}, {"name": "other"}])) == {
        "dns": "ended"
    }
    assert runs(first["web"]) and not runs(first["dns"])


def test_a_process_that_has_the_number_now_is_left_alone(red: None) -> None:
    """A PID alone says nothing: after the server's end it may be given to any process."""
    run(WEB)
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        note = json.loads((FOLDER / "web.json").read_text())
        os.kill(note["pid"], signal.SIGKILL)
        (FOLDER / "web.json").write_text(json.dumps({**note, "pid": other.pid}))
        assert actions(module("echo_server", state="absent")) == {"web": "ended"}
        assert other.poll() is None and not FOLDER.exists()
    finally:
        other.kill()
        other.wait()


def test_many_in_one_call(red: None) -> None:
    many = [{"name": f"s{n}", "netns": "red", "port": 9000 + n} for n in range(40)]
    answer = run(*many)
    assert set(actions(answer).values()) == {"started"}
    assert {ask("", "192.0.2.1", 9000 + n)["name"] for n in range(40)} == {f"s{n}" for n in range(40)}
    assert not run(*many)["changed"]
    module("echo_server", state="absent")
    assert not any(runs(pid) for pid in pids(answer).values())


def test_ipv6(red: None) -> None:
    sh("ip", "netns", "exec", "red", "sysctl", "-qw", "net.ipv6.conf.lo.disable_ipv6=0")
    answer = run({**WEB, "address": "::1"}, {**DNS, "address": "::1"})
    assert set(actions(answer).values()) == {"started"}
    assert not run({**WEB, "address": "0:0::1"}, {**DNS, "address": "::1"})["changed"]  # the same address
    sockets = sh("ip", "netns", "exec", "red", "ss", "-Htuln")
    assert sockets.count("[::1]:9000") == 2


@pytest.mark.parametrize(
    ("servers", "text"),
    [
        ([{**WEB, "name": "a/b"}], "server a/b: not a name"),
        ([{**WEB, "name": ".."}], "server ..: not a name"),
        ([{**WEB, "port": 70000}], "server web: port 70000 is not a port"),
        ([{"name": "web"}], "server web: port None is not a port"),
        ([{**WEB, "address": "here"}], "server web: address here is not an IP address"),
        ([{**WEB, "netns": "blue"}], "server web: there is no network namespace blue"),
        ([WEB, {**WEB, "port": 9001}], "server web: its name is that of server web"),
        ([WEB, {**WEB, "name": "two"}], "server two: its tcp port 9000 is that of server web"),
    ],
)
def test_mistakes(red: None, servers: list[dict[str, Any]], text: str) -> None:
    answer = run(*servers, DNS)
    assert answer["failed"] and text in answer["msg"] and "nothing has been changed" in answer["msg"]
    assert not FOLDER.exists()


def test_all_mistakes_at_once(red: None) -> None:
    answer = run({**WEB, "port": 0, "netns": "blue"}, {**DNS, "address": "x"})
    assert len(answer["problems"]) == 3


def test_a_port_that_somebody_else_has(red: None) -> None:
    run(WEB)
    note = FOLDER / "web.json"
    text = note.read_text()
    note.unlink()  # now it is nobody's
    answer = run(WEB, DNS)
    assert answer["failed"] and "web: tcp 0.0.0.0 port 9000 in namespace red: Address already in use" in answer["msg"]
    assert answer["changed"] and ask_udp("", "192.0.2.1", 9000)["name"] == "dns"
    note.write_text(text)
