# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""veth pairs: two links that are each other's peer. Nothing can change in place: there is no changelink
(drivers/net/veth.c). Each end is a link of its own with its own fields; `peer` is (namespace, name) of the other.
"""

from __future__ import annotations

from .._model import RECREATE, Field, Type

NAME = "veth"
WHOLE = False
FIELDS = {"peer": Field(Type(lambda value: value), change=RECREATE, word="")}
