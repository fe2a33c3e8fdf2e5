# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policy rules: what each selector becomes, by `ip rule`'s account; which one a deletion takes; whose they are."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils import _netlink as nl
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Failed, Options, Refused, run
from ansible_collections.linuxnet.lab.plugins.module_utils._kinds import rule
from ansible_collections.linuxnet.lab.plugins.module_utils._model import Op

from .support import sh, state, unlike

pytestmark = pytest.mark.usefixtures("lab")

# one rule for each selector and each outcome, and what `ip rule` shows of it
SHOWN: list[tuple[dict[str, Any], str]] = [
    ({"from": "10.244.0.0/16", "table": 100}, "from 10.244.0.0/16 lookup 100"),
    ({"to": "192.0.2.1", "table": "default"}, "from all to 192.0.2.1 lookup default"),
    ({"to": "192.0.2.0/24", "not": True}, "not from all to 192.0.2.0/24 lookup main"),
    ({"iif": "lo", "table": 100000}, "from all iif lo lookup 100000"),
    ({"oif": "none0", "table": 9}, "from all oif none0 [detached] lookup 9"),
    ({"fwmark": "0x4000", "fwmask": "0xff00", "table": 9}, "from all fwmark 0x4000/0xff00 lookup 9"),
    ({"fwmark": 7, "table": 9}, "from all fwmark 0x7 lookup 9"),
    ({"fwmark": 0, "fwmask": "0xff", "table": 9}, "from all fwmark 0/0xff lookup 9"),
    ({"tos": "0x10", "table": 9}, "from all tos 0x10 lookup 9"),
    ({"ipproto": "tcp", "dport": 80, "table": 9}, "from all ipproto tcp dport 80 lookup 9"),
    ({"ipproto": 17, "sport": "1000-2000", "table": 9}, "from all ipproto udp sport 1000-2000 lookup 9"),
    ({"uidrange": "1000-1999", "table": 9}, "from all uidrange 1000-1999 lookup 9"),
    ({"tun_id": 77, "table": 9}, "from all tun_id 77 lookup 9"),
    ({"action": "blackhole"}, "from all blackhole"),
    ({"action": "unreachable"}, "from all unreachable"),
    ({"action": "prohibit", "from": "10.0.0.0/8"}, "from 10.0.0.0/8 prohibit"),
    ({"action": "nop"}, "from all nop"),
    ({"goto": 5000}, "from all goto 5000 [unresolved]"),
    ({"suppress_prefixlength": 0}, "from all lookup main suppress_prefixlength 0"),
    ({"suppress_ifgroup": 3}, "from all lookup main suppress_ifgroup 3"),
    ({"realms": "3/4", "table": 9}, "from all lookup 9 realms 3/4"),
    ({"from": "2001:db8::/32", "table": 9}, "from 2001:db8::/32 lookup 9"),
    ({"family": "inet6", "ipproto": "ipv6-icmp", "action": "prohibit"}, "from all ipproto ipv6-icmp prohibit"),
]
IPV6 = ("-6", "2001:", "ipv6-icmp")


@pytest.mark.parametrize("options, shown", SHOWN, ids=[shown for _options, shown in SHOWN])
def test_a_rule_is_what_ip_rule_shows(options: dict[str, Any], shown: str) -> None:
    family = "-6" if any(word in shown for word in IPV6) else "-4"
    before = state()
    one = {"priority": 100, **options}
    (typed,) = run({"rules": [one]}, Options(check=True)).commands
    assert run({"rules": [one]}).commands == [typed]
    line = next(line.rstrip() for line in sh("ip", family, "rule").splitlines() if line.startswith("100:"))
    assert line == f"100:\t{shown} proto 76"
    assert [rule.text(found) for found in _read() if found.key.ident[1] == 100] == [line]
    assert not run({"rules": [one]}).changed
    assert run({"rules": [{**one, "state": "absent"}]}).changed
    assert not unlike(before, state())
    sh("sh", "-ec", typed)
    assert not run({"rules": [one]}).changed, "the line that was shown is the rule that was made"


def _read() -> list[Any]:
    with nl.Channel() as channel:
        return [rule.read(message, "") for ask in rule.DUMPS for message in channel.dump(ask, rule.WANTED)]


@pytest.mark.parametrize(
    "more",
    [{"iif": "lo", "table": 100}, {"not": True, "table": 100}, {"table": 100, "suppress_prefixlength": 0}],
    ids=["iif", "not", "suppress"],
)
def test_of_two_rules_the_one_that_is_meant_goes(more: dict[str, Any]) -> None:
    """A request to delete leaves out what the rule does not say, and the kernel takes the first that fits."""
    less = {"priority": 100, "from": "10.0.0.0/8", "table": 100}
    more = {**less, **more}
    for first, second in ((more, less), (less, more)):
        run({"rules": [first, second]})
        run({"rules": [{**second, "state": "absent"}]})
        assert not run({"rules": [first]}).changed and len(sh("ip", "rule").splitlines()) == 4
        run({"rules": [second]})
        run({"rules": [{**first, "state": "absent"}]})
        assert not run({"rules": [second]}).changed and len(sh("ip", "rule").splitlines()) == 4
        run({"rules": [{**second, "state": "absent"}]})
    run({"rules": [more, less]})
    run({"rules": [{**less, "state": "absent"}, {**more, "state": "absent"}]})
    assert len(sh("ip", "rule").splitlines()) == 3


def test_the_new_rule_is_there_before_the_old_one_goes() -> None:
    options = Options(name="lab", prune=True)
    run({"rules": [{"priority": 100, "from": "10.0.0.0/8", "table": 100}]}, options)
    commands = run({"rules": [{"priority": 100, "from": "10.0.0.0/9", "table": 100}]}, options).commands
    assert [line.split()[2] for line in commands] == ["add", "del"]
    assert len(sh("ip", "rule").splitlines()) == 4


def test_the_rules_of_others_stay_and_can_be_taken_over() -> None:
    sh("ip", "rule", "add", "priority", "100", "from", "10.0.0.0/8", "table", "100")
    before = state()
    same = {"priority": 100, "from": "10.0.0.0/8", "table": 100}
    assert not run({"rules": [same]}).changed
    with pytest.raises(Refused, match="rule 100: from 10.0.0.0/8 lookup 100: was not made by linuxnet.lab"):
        run({"rules": [{**same, "state": "absent"}]})
    with pytest.raises(Refused, match="rule 32766: from all lookup main: was not made by linuxnet.lab"):
        run({"rules": [{"priority": 32766, "state": "absent"}]})
    assert not unlike(before, state())
    assert run({"rules": [{**same, "proto": "static"}]}, Options(adopt=True)).changed
    assert "100:\tfrom 10.0.0.0/8 lookup 100 proto static" in sh("ip", "rule")
    run({"rules": [{**same, "proto": "static", "state": "absent"}]})
    assert len(sh("ip", "rule").splitlines()) == 3


def test_rules_of_a_namespace_come_back_after_a_failure() -> None:
    rules = [{"netns": "red", "priority": n, "from": f"10.{n}.0.0/16", "table": 100} for n in (1, 2, 3)]
    run({"namespaces": ["red"], "rules": rules}, Options(name="lab", prune=True))
    before = state()

    def last(number: int, op: Op) -> None:
        if number == 2:
            raise RuntimeError("on purpose")

    with pytest.raises(Failed) as failed:
        run({"namespaces": ["red"], "rules": [{"netns": "red", "priority": 9}, rules[0]]}, Options("lab", True), last)
    assert failed.value.rolled_back == (not failed.value.left)
    assert not unlike(before, state())
