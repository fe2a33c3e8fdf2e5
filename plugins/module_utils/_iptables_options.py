# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of iptables' matches and targets, and how many values each takes (extensions/lib*.c, 1.8.9).

`name` takes one value, `name:0` none, `name:2` two. An extension that is not here works as well: its options are then
told from their values by the dash.
"""

from __future__ import annotations


def _arities(text: str) -> dict[str, int]:
    pairs = (word.partition(":") for word in text.split())
    return {name: int(arity or 1) for name, _colon, arity in pairs}


MATCHES = {
    name: _arities(text)
    for name, text in {
        "tcp": "sport dport tcp-flags:2 syn:0 tcp-option",
        "udp": "sport dport",
        "udplite": "sport dport",
        "sctp": "sport dport chunk-types:2",
        "dccp": "sport dport dccp-types dccp-option",
        "icmp": "icmp-type",
        "icmp6": "icmpv6-type",
        "esp": "espspi",
        "comment": "comment",
        "multiport": "sports dports ports",
        "addrtype": "src-type dst-type limit-iface-in:0 limit-iface-out:0",
        "mark": "mark",
        "connmark": "mark",
        "state": "state",
        "conntrack": "ctstate ctproto ctorigsrc ctorigdst ctreplsrc ctrepldst ctorigsrcport ctorigdstport ctreplsrcport "
        "ctrepldstport ctstatus ctexpire ctdir",
        "statistic": "mode probability every packet",
        "recent": "name set:0 rcheck:0 update:0 remove:0 seconds reap:0 hitcount rttl:0 rsource:0 rdest:0 mask",
        "physdev": "physdev-in physdev-out physdev-is-in:0 physdev-is-out:0 physdev-is-bridged:0",
        "rpfilter": "loose:0 validmark:0 accept-local:0 invert:0",
        "limit": "limit limit-burst",
        "hashlimit": "hashlimit hashlimit-upto hashlimit-above hashlimit-burst hashlimit-mode hashlimit-srcmask "
        "hashlimit-dstmask hashlimit-name hashlimit-htable-size hashlimit-htable-max hashlimit-htable-expire "
        "hashlimit-htable-gcinterval hashlimit-rate-match:0 hashlimit-rate-interval",
        "connlimit": "connlimit-upto connlimit-above connlimit-mask connlimit-saddr:0 connlimit-daddr:0",
        "owner": "uid-owner gid-owner socket-exists:0 suppl-groups:0",
        "length": "length",
        "tcpmss": "mss",
        "set": "match-set:2 return-nomatch:0 update-counters:0 update-subcounters:0 packets-eq packets-lt packets-gt "
        "bytes-eq bytes-lt bytes-gt",
        "mac": "mac-source",
        "ttl": "ttl-eq ttl-lt ttl-gt",
        "hl": "hl-eq hl-lt hl-gt",
        "pkttype": "pkt-type",
        "iprange": "src-range dst-range",
        "quota": "quota",
        "helper": "helper",
        "dscp": "dscp dscp-class",
        "tos": "tos",
        "string": "algo from to string hex-string icase:0",
        "u32": "u32",
        "time": "timestart timestop datestart datestop monthdays weekdays kerneltz:0 utc:0 contiguous:0",
        "cpu": "cpu",
        "socket": "transparent:0 nowildcard:0 restore-skmark:0",
        "devgroup": "src-group dst-group",
        "ecn": "ecn-tcp-cwr:0 ecn-tcp-ece:0 ecn-ip-ect",
        "realm": "realm",
        "nfacct": "nfacct-name",
        "ipvs": "ipvs:0 vproto vaddr vport vdir vmethod vportctl",
        "cgroup": "path cgroup",
        "bpf": "bytecode object-pinned",
        "connbytes": "connbytes connbytes-dir connbytes-mode",
        "connlabel": "label set:0",
        "policy": "dir pol strict:0 next:0 reqid spi proto mode tunnel-src tunnel-dst",
    }.items()
}

_SET_MARK = "set-mark set-xmark and-mark or-mark xor-mark"
TARGETS = {
    name: _arities(text)
    for name, text in {
        "ACCEPT": "",
        "DROP": "",
        "RETURN": "",
        "QUEUE": "",
        "NOTRACK": "",
        "TRACE": "",
        "DNAT": "to-destination random:0 persistent:0",
        "SNAT": "to-source random:0 random-fully:0 persistent:0",
        "MASQUERADE": "to-ports random:0 random-fully:0",
        "REDIRECT": "to-ports random:0",
        "NETMAP": "to",
        "MARK": _SET_MARK,
        "CONNMARK": f"{_SET_MARK} save-mark:0 restore-mark:0 mask nfmask ctmask",
        "REJECT": "reject-with",
        "LOG": "log-prefix log-level log-tcp-sequence:0 log-tcp-options:0 log-ip-options:0 log-uid:0 log-macdecode:0",
        "NFLOG": "nflog-group nflog-prefix nflog-range nflog-size nflog-threshold",
        "NFQUEUE": "queue-num queue-balance queue-bypass:0 queue-cpu-fanout:0",
        "CT": "notrack:0 helper ctevents expevents zone zone-orig zone-reply timeout",
        "TCPMSS": "set-mss clamp-mss-to-pmtu:0",
        "TTL": "ttl-set ttl-dec ttl-inc",
        "HL": "hl-set hl-dec hl-inc",
        "DSCP": "set-dscp set-dscp-class",
        "TOS": "set-tos and-tos or-tos xor-tos",
        "CLASSIFY": "set-class",
        "CHECKSUM": "checksum-fill:0",
        "TPROXY": "on-port on-ip tproxy-mark",
        "TEE": "gateway oif",
        "AUDIT": "type",
        "SET": "add-set:2 del-set:2 map-set:2 exist:0 timeout map-mark:0 map-prio:0 map-queue:0",
    }.items()
}

# `-p tcp` brings this match along
PROTOCOL_MATCHES = {
    "tcp": "tcp", "6": "tcp", "udp": "udp", "17": "udp", "udplite": "udplite", "136": "udplite", "sctp": "sctp",
    "132": "sctp", "dccp": "dccp", "33": "dccp", "icmp": "icmp", "1": "icmp", "icmpv6": "icmp6", "ipv6-icmp": "icmp6",
    "58": "icmp6", "esp": "esp", "50": "esp",
}  # fmt: skip

# free text, which iptables-save quotes unless it is letters, digits, - and _ only; and what it always quotes
QUOTED = frozenset({"string", "hex-string", "u32", "bytecode"})
STRINGS = frozenset({"comment", "log-prefix", "nflog-prefix", "path"}) | QUOTED
