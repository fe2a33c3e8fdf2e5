# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests from many namespaces: who answers, what they see, why there is no answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ..engine.support import lab, sh
from ..modules.test_modules import module
from .network import ADDRESS, CLIENT, NODE, apply, build, service, stop

__all__ = ["lab"]


@pytest.fixture
def node(lab: None) -> Iterator[None]:
    build()
    yield
    stop()


def ask(*requests: dict[str, Any]) -> list[dict[str, Any]]:
    answer = module("echo_info", requests=list(requests))
    assert not answer.get("failed") and answer["changed"] is False, answer
    found: list[dict[str, Any]] = answer["results"]
    return found


def test_it_counts_who_answers_from_each_namespace(node: None) -> None:
    apply(service())
    outside, pod, datagram = ask(
        {"name": "from outside", "netns": "client", "address": NODE, "port": 30999, "count": 60},
        {"netns": "web-1", "address": ADDRESS["web-2"], "port": 9000, "count": 2},
        {"netns": "web-1", "address": ADDRESS["web-3"], "port": 9000, "protocol": "udp"},
    )
    assert (outside["name"], outside["sent"], outside["answered"], outside["errors"]) == ("from outside", 60, 60, [])
    # 60 requests miss one of three pods with a probability of 3 * (2/3)**60, 8e-11
    assert set(outside["servers"]) == {f"{address}:9000" for address in ADDRESS.values()}
    assert sum(outside["names"].values()) == 60 and CLIENT not in outside["clients"]
    assert pod["names"] == {"web-2-tcp": 2} and pod["clients"] == {ADDRESS["web-1"]: 2}
    assert datagram["names"] == {"web-3-udp": 1} and datagram["servers"] == {}


def test_it_tells_why_there_is_no_answer(node: None) -> None:
    sh("iptables", "-A", "INPUT", "-p", "tcp", "--dport", "81", "-j", "DROP")
    sh("ip", "route", "add", "unreachable", "198.51.100.0/24")
    refused, silent, nowhere = ask(
        {"address": ADDRESS["web-1"], "port": 80, "count": 3},
        {"netns": "client", "address": NODE, "port": 81, "timeout": 0.3},
        {"address": "198.51.100.1", "port": 80},
    )
    assert (refused["sent"], refused["answered"], refused["errors"]) == (3, 0, ["Connection refused"])
    assert silent["errors"] == ["timed out"] and nowhere["errors"] == ["No route to host"]


def test_another_server_than_ours_is_an_answer_without_names(node: None) -> None:
    with socket.create_server(("127.0.0.1", 8080)) as server:

        def serve() -> None:
            connection, _client = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n<html>")

        thread = threading.Thread(target=serve)
        thread.start()
        (found,) = ask({"address": "127.0.0.1", "port": 8080})
        thread.join()
    assert found["answered"] == 1 and found["names"] == {} and found["errors"] == []


@pytest.mark.parametrize(
    "request_, words",
    [
        ({"address": "somewhere", "port": 80}, "'somewhere' does not appear to be an IPv4 or IPv6 address"),
        ({"address": "127.0.0.1", "port": 0}, "port 0 is not a port, 1 to 65535"),
        ({"address": "127.0.0.1", "port": 80, "netns": "nowhere"}, "there is no network namespace nowhere"),
    ],
)
def test_bad_input_is_told(lab: None, request_: dict[str, Any], words: str) -> None:
    answer = module("echo_info", requests=[request_, {"address": "x", "port": 1}])
    assert answer["failed"] and words in answer["problems"] and len(answer["problems"]) == 2
