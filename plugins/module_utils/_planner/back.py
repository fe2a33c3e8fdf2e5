# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way back: the planner's own input, made of an earlier look."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._kinds import link, table_of
from .._model import Key, Object
from .._snapshot import Have
from .draft import automatic
from .recreation import creatable, parameters


def restoration(before: Have, touched: Iterable[Key]) -> tuple[dict[Key, Object], dict[Key, None]]:
    """want and gone that lead back: the planner's own input, made of an earlier have."""
    want: dict[Key, Object] = {}
    gone: dict[Key, None] = {}
    position = {key: number for number, key in enumerate(before.objects)}  # a primary address before secondary ones
    for key in sorted(touched, key=lambda key: position.get(key, -1)):
        have = before.objects.get(key)
        if have is None:
            gone[key] = None
        elif key.kind == "link":
            want[key] = Object(key, creatable(have) if have.fields["kind"] else _restorable(have))
        elif not automatic(have):
            want[key] = Object(key, {**_unset(have), **have.fields})
    # a link before what hangs on it, a veth's two ends side by side
    order = {"netns": 0, "link": 1}
    return dict(sorted(want.items(), key=lambda pair: order.get(pair[0].kind, 2))), gone


def _unset(have: Object) -> dict[str, Any]:
    """What the kernel does not show of an object, it did not have: that is to be put back as well."""
    return {option: field.unset for option, field in table_of(have).items() if field.unset is not None}


def _restorable(have: Object) -> dict[str, Any]:
    found = {option: value for option, value in have.fields.items() if option in link.GENERIC and value is not None}
    return {**found, **parameters(have)}
