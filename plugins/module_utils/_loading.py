# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking the kernel for a kind of link, and what that loads: check mode must load nothing.

A module stays when the question is over, and ipip's makes tunl0 in every namespace. The kernel loads on the mere
mention of a kind that it does not know (rtnl_newlink, request_module), so the files are asked instead.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

from . import _netlink as nl
from ._kinds import ipip, link
from ._model import Object, Problem
from ._netns import Namespaces
from ._snapshot import Have

# No link may be so large (net/core/rtnetlink.c, rtnl_create_link): the kernel finds the kind, or loads it, and then makes
# nothing that would have to be deleted, which takes it 25 ms. One that has no such limit makes a link.
_TOO_MUCH = 0x7FFFFFFF


def askable(kinds: Iterable[str]) -> set[str]:
    """The kinds that the kernel can be asked for without loading anything."""
    if not os.path.exists("/proc/modules") or _read("/proc/sys/kernel/modules_disabled").strip() == "1":
        return set(kinds)  # a kernel without modules, or one that takes no more
    known = _read(f"/lib/modules/{os.uname().release}/modules.dep")
    files = {os.path.basename(line.split(":")[0]).split(".")[0] for line in known.splitlines()}
    # without the list (in a container, say) a module may be there all the same
    return {kind for kind in kinds if os.path.exists(f"/sys/module/{kind}") or (files and kind not in files)}


def with_fallbacks(have: Have, names: tuple[str, ...]) -> Have:
    """What there will be when ipip's module is loaded: its fallback device in each namespace."""
    if not names:
        return have
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


def probe(namespaces: Namespaces, kinds: Iterable[str]) -> list[Problem]:
    """Ask the kernel for each kind of link, in a namespace that nobody else sees: it says what it cannot do."""
    found = []
    options = {"CONFIG_NET_IPIP": "ipip", "CONFIG_VXLAN": "vxlan", "CONFIG_BRIDGE": "bridge", "CONFIG_VETH": "veth"}
    names = {kind: option for option, kind in options.items()}
    with namespaces.scratch(), nl.Channel() as channel:
        for kind in sorted(set(kinds)):
            data = {"IFLA_VXLAN_ID": 1, "IFLA_VXLAN_PORT": 4789} if kind == "vxlan" else None
            info = {"IFLA_INFO_KIND": kind, "IFLA_INFO_DATA": data}
            attrs = {"IFLA_IFNAME": "probe", "IFLA_MTU": _TOO_MUCH, "IFLA_LINKINFO": info}
            errors = channel.change([nl.Request(nl.RTM_NEWLINK, {}, attrs, nl.NLM_F_CREATE | nl.NLM_F_EXCL)])
            if errors and errors[0].code == errno.EOPNOTSUPP:
                option = names.get(kind, "")
                found.append(
                    Problem(f"link kind {kind}", f"this kernel ({os.uname().release}) has no {kind} ({option})")
                )
            elif not errors:
                channel.change([nl.Request(nl.RTM_DELLINK, {}, {"IFLA_IFNAME": "probe"})])
    return found
