# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of objects: one file each; this is their list. A new kind is a new file and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._model import LABELS, Field, Object
from . import address, bridge, chain, fdb, ipip, link, neighbor, netns, route, rule, sysctl, veth, vxlan

LINK_KINDS = {kind.NAME: kind for kind in (bridge, veth, ipip, vxlan)}
link.register(LINK_KINDS, bridge.PORT)

# section of a description: kind
SECTIONS: dict[str, Any] = {
    "namespaces": netns,
    "links": link,
    "addresses": address,
    "routes": route,
    "rules": rule,
    "neighbors": neighbor,
    "fdb": fdb,
    "sysctls": sysctl,
    "chains": chain,
}
LABELS.update({kind.NAME: kind.label for kind in SECTIONS.values() if hasattr(kind, "label")})
KINDS: dict[str, Any] = {kind.NAME: kind for kind in SECTIONS.values()}


def table_of(one: Object) -> Mapping[str, Field]:
    """The fields of an object's kind; a link's depend on which kind of link it is."""
    if one.key.kind == link.NAME:
        return link.table(one.fields.get("kind", ""))
    fields: Mapping[str, Field] = KINDS[one.key.kind].FIELDS
    return fields
