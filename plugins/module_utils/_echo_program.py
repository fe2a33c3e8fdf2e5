# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server that linuxnet.lab.echo_server runs, one process each: it says who it is and whom it sees.

It is a program of its own, and needs nothing but Python's standard library. Its arguments are the number of a socket
that is bound (and listens) already, and what it says of itself, as JSON. It begins when it is told to on its standard
input, which is after the module has noted its PID: so none is ever forgotten.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

IDLE = 30  # seconds after which a silent connection is closed


def answer(about: Mapping[str, Any], client: Any, **more: Any) -> bytes:
    """The answer to a request: who, whom it sees, and what was asked for."""
    seen = dict(about, client=client[0], client_port=client[1], **more)
    return (json.dumps(seen) + "\n").encode()


def http(server: socket.socket, about: Mapping[str, Any]) -> None:
    """Serve HTTP: any method, any path."""

    class Handler(BaseHTTPRequestHandler):
        timeout = IDLE

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except OSError:  # the client is gone
                self.close_connection = True

        def echo(self) -> None:
            reached = self.connection.getsockname()
            body = answer(
                about, self.client_address, server=reached[0], server_port=reached[1],
                method=self.command, path=self.path,
            )  # fmt: skip
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = echo

        def log_message(self, *arguments: Any) -> None:
            pass

    waiting = ThreadingHTTPServer(server.getsockname()[:2], Handler, bind_and_activate=False)
    waiting.socket.close()
    waiting.socket = server
    waiting.serve_forever()


def udp(server: socket.socket, about: Mapping[str, Any]) -> None:
    """Answer each datagram."""
    while True:
        data, client = server.recvfrom(65535)
        try:
            server.sendto(answer(about, client, data=data.decode(errors="replace")), client)
        except OSError:  # no way back, or too long an answer: as with any datagram, it is lost
            continue


def main() -> None:
    server, about = socket.socket(fileno=int(sys.argv[1])), json.loads(sys.argv[2])
    if sys.stdin.read():
        {"tcp": http, "udp": udp}[about["protocol"]](server, about)


if __name__ == "__main__":
    main()
