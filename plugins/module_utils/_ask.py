# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests to servers from many namespaces at once, and what the example servers say in their answers.

A socket stays in the namespace that it was made in: they are made one after the other in the one thread that enters
namespaces, and used by several.
"""

from __future__ import annotations

import json
import os
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from ._netns import Namespaces

_AT_ONCE = 16
_TYPES = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
_SAID = {"names": "name", "nodes": "node", "clients": "client"}  # result: what the answer calls it


class Request(NamedTuple):
    """Something to ask for, so many times, each time over a connection of its own."""

    address: str
    port: int
    netns: str = ""
    protocol: str = "tcp"
    times: int = 1
    timeout: float = 3.0  # seconds


def run(requests: list[Request], namespaces: Namespaces) -> list[dict[str, Any]]:
    """All requests, as many at once as is decent; a result for each, in their order."""
    results = [_nothing(request) for request in requests]
    jobs = [(request, result) for request, result in zip(requests, results) for _number in range(request.times)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for start in range(0, len(jobs), _AT_ONCE):
            some = jobs[start : start + _AT_ONCE]
            sockets = [_open(request, namespaces) for request, _result in some]
            answers = pool.map(_ask, sockets, [request for request, _result in some])
            for (_request, result), answer in zip(some, answers):
                _count(result, answer)
    return results


def _nothing(request: Request) -> dict[str, Any]:
    counters: dict[str, Any] = {name: Counter() for name in ("servers", *_SAID)}
    return {"sent": request.times, "answered": 0, **counters, "errors": []}


def _open(request: Request, namespaces: Namespaces) -> socket.socket:
    family = socket.AF_INET6 if ":" in request.address else socket.AF_INET
    with namespaces.entered(request.netns):
        return socket.socket(family, _TYPES[request.protocol])


def _ask(asking: socket.socket, request: Request) -> bytes | OSError:
    """The answer's body, or why there is none."""
    with asking:
        try:
            asking.settimeout(request.timeout)
            asking.connect((request.address, request.port))
            if request.protocol == "udp":
                asking.send(b"hello")
                return asking.recv(65535)
            asking.sendall(b"GET / HTTP/1.0\r\nHost: lab\r\n\r\n")
            answer = b"".join(iter(lambda: asking.recv(65535), b""))
        except OSError as error:
            return error
    return answer.partition(b"\r\n\r\n")[2] if answer else ConnectionResetError(0, "closed without an answer")


def _count(result: dict[str, Any], answer: bytes | OSError) -> None:
    if isinstance(answer, OSError):
        text = answer.strerror or str(answer) or os.strerror(answer.errno or 0)
        if text not in result["errors"]:
            result["errors"].append(text)
        return
    result["answered"] += 1
    try:
        said = json.loads(answer)
        server = f"{said['server']}:{said['server_port']}" if "server" in said else ""
        found = {"servers": server, **{name: str(said[key]) for name, key in _SAID.items()}}
    except (ValueError, KeyError, TypeError):  # another server than ours
        return
    for name, value in found.items():
        if value:
            result[name][value] += 1
