# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a parameter's value may be, by what it is now."""

from __future__ import annotations

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils._kinds import sysctl
from ansible_collections.linuxnet.lab.plugins.module_utils._model import Object


@pytest.mark.parametrize(
    ("name", "now", "stated", "words"),
    [
        ("net/core/rps_default_mask", "1", "f", ""),  # hexadecimal
        ("net/core/flow_limit_cpu_bitmap", "0", "f", ""),
        ("net/core/somaxconn", "4096", "f", "'f' is not a number"),
        ("net/ipv4/ip_local_port_range", "32768 60999", "1024", "'1024' are 1 numbers, 2 are needed"),
        ("net/ipv4/tcp_congestion_control", "cubic", "reno", ""),
    ],
)
def test_a_number_stays_a_number(name: str, now: str, stated: str, words: str) -> None:
    one, have = (Object(sysctl.key("", name), {"value": value}) for value in (stated, now))
    wrong = sysctl.mistake(one, have)
    assert wrong.startswith(words) and bool(wrong) == bool(words)
