# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What asking the kernel for a kind of link would load: check mode must load nothing.

A module stays when the question is over, and ipip's makes tunl0 in every namespace. The kernel loads on the mere
mention of a kind that it does not know (rtnl_newlink, request_module), so the files are asked instead.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from ._kinds import ipip, link
from ._model import Object
from ._snapshot import Have


def askable(kinds: Iterable[str]) -> set[str]:
    """The kinds that the kernel can be asked for without loading anything."""
    if not os.path.exists("/proc/modules") or _read("/proc/sys/kernel/modules_disabled").strip() == "1":
        return set(kinds)  # a kernel without modules, or one that takes no more
    known = _read(f"/lib/modules/{os.uname().release}/modules.dep")
    files = {os.path.basename(line.split(":")[0]).split(".")[0] for line in known.splitlines()}
    # without the list (in a container, say) a module may be there all the same
    return {kind for kind in kinds if os.path.exists(f"/sys/module/{kind}") or (files and kind not in files)}


def with_fallbacks(have: Have, names: Iterable[str]) -> Have:
    """What there will be when ipip's module is loaded: its fallback device in each namespace."""
    found = have.copy()
    fields = {"kind": ipip.NAME, "up": False, "group": 0, "alias": "", "master": ""}
    for key in [link.key(where, name) for name in names for where in have.inodes]:
        found.objects.setdefault(key, Object(key, dict(fields)))
    return found


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""
