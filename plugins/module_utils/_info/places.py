# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where there are network namespaces: those with a name, those that something else holds by a mount (docker keeps
some so, without any process), and those that only have processes (containers).
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Mapping

from .._netns import RUN, Namespaces

Identity = tuple[int, int]  # device and inode of a namespace's file
_OCTAL = re.compile(r"\\([0-7]{3})")


def processes() -> dict[Identity, list[int]]:
    """{namespace: PIDs in it, rising}. Only root sees those of other users."""
    found: dict[Identity, list[int]] = defaultdict(list)
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        try:
            status = os.stat(f"/proc/{pid}/ns/net")
        except OSError:  # it has ended meanwhile, or is somebody else's
            continue
        found[status.st_dev, status.st_ino].append(pid)
    return found


def mounts(namespaces: Namespaces) -> dict[Identity, str]:
    """{namespace: a file that it is mounted on}, but for those with a name (proc_pid_mountinfo(5))."""
    found: dict[Identity, str] = {}
    with open("/proc/thread-self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            root, path = line.split(" ", 5)[3:5]
            if not root.startswith("net:[") or os.path.dirname(path) == RUN:
                continue
            path = _OCTAL.sub(lambda code: chr(int(code[1], 8)), path)
            try:
                status = os.stat(path)
            except OSError:
                continue
            if status.st_dev == namespaces.own[0]:  # or something else is mounted over it
                found.setdefault((status.st_dev, status.st_ino), path)
    return found


def everywhere(namespaces: Namespaces, pids: Mapping[Identity, list[int]] | None = None) -> dict[Identity, str]:
    """All network namespaces, and what each is called: '' the own one, then a name, a mounted file, a process's file."""
    found = {namespaces.own: ""}
    for name in (namespaces.known(), mounts(namespaces)):
        for identity, netns in name.items():
            found.setdefault(identity, netns)
    for identity, inside in (processes() if pids is None else pids).items():
        found.setdefault(identity, f"/proc/{inside[0]}/ns/net")
    return found
