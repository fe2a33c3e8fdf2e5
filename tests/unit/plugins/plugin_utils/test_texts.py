# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables of records."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.linuxnet.lab.plugins.filter.table import table
from ansible_collections.linuxnet.lab.plugins.plugin_utils.texts import listing, records

TUNNEL = {
    "text": "10.244.169.64/26 via 192.168.26.105 dev tunl0 proto bird onlink",
    "netns": "",
    "dev": "tunl0",
    "onlink": True,
}
HOLE = {"text": "blackhole 10.244.169.64/26 proto bird", "netns": "", "dev": None}
RED = {"text": "default via 192.168.20.1 dev eth0-r", "netns": "red", "dev": "eth0-r", "onlink": False}
LINK = {"text": "2: eth0@if7: <UP> mtu 1480\n    link/ether 02:00:00:00:00:01", "netns": ""}


def test_who_owns_the_block() -> None:
    assert table({"vms100": {"routes": [TUNNEL]}, "vms1": {"routes": [HOLE]}, "vms2": {"routes": []}}) == [
        "vms100 | 10.244.169.64/26 via 192.168.26.105 dev tunl0 proto bird onlink",
        "vms1   | blackhole 10.244.169.64/26 proto bird",
        "vms2   | -",
    ]


def test_all_hosts_have_a_column_of_namespaces_if_one_needs_it() -> None:
    assert table({"vms100": [HOLE, RED], "vms101": [HOLE]}) == [
        "vms100 |     | blackhole 10.244.169.64/26 proto bird",
        "vms100 | red | default via 192.168.20.1 dev eth0-r",
        "vms101 |     | blackhole 10.244.169.64/26 proto bird",
    ]


def test_columns() -> None:
    assert table({"a": [TUNNEL, HOLE], "b": [RED]}, ["netns", "dev", "onlink", "no"]) == [
        "a |     | tunl0  | true  |",
        "a |     |        |       |",
        "b | red | eth0-r | false |",
    ]


@pytest.mark.parametrize("wrong", [[TUNNEL], {"a": {"failed": True}}, {"a": "text"}, {"a": ["text"]}, {"a": None}])
def test_what_holds_no_records_is_refused(wrong: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="records"):
        table(wrong)


def test_one_host() -> None:
    assert listing([HOLE]) == ["blackhole 10.244.169.64/26 proto bird"]
    assert listing([]) == ["-"]
    assert listing([LINK], "vms1", first=6) == [
        "vms1   | 2: eth0@if7: <UP> mtu 1480",
        "vms1   |     link/ether 02:00:00:00:00:01",
    ]


def test_records_of_all_kinds_are_found_and_others_are_not() -> None:
    assert records({"rules": [RED], "chains": [{"chain": "INPUT"}], "changed": False}) == [RED]
    assert records({"links": []}) == []
    assert records({"stdout": "", "results": [RED]}) is None
