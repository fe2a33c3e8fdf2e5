# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each known trap of pyroute2, of netlink and of the kernel, and the test that would fall into it.

The table is to be read; the test here only sees to it that what the table names is there.
"""

from __future__ import annotations

from pathlib import Path

import pytest

ENGINE = Path(__file__).parent
TRAPS = {
    # pyroute2, from version to version
    "NetNS() and IPRoute(netns=) fork, or make a namespace by opening it":
        "test_traps.py::test_looking_for_namespaces_makes_none_and_a_leftover_file_is_none",
    "a proxy process for each namespace": "test_traps_process.py::test_no_process_and_no_thread_is_started",
    "descriptors and processes of NetNS that are never closed": "test_traps.py::test_no_descriptor_and_no_namespace_is_left_open",
    "a socket that is used from another thread":
        "test_traps_process.py::test_in_another_thread_it_works_in_that_threads_namespace_and_leaves_the_main_threads_alone",
    "RuntimeError inside a running event loop": "test_traps_process.py::test_inside_a_running_event_loop",
    "a dump is a list, a tuple or a generator; match= drops the family":
        "test_traps.py::test_an_object_is_found_by_its_own_namespace_and_device_not_by_what_a_filter_says",
    "an interrupted dump is not told": "test_traps.py::test_an_interrupted_dump_is_asked_for_again",
    "a dump under churn is incomplete": "test_traps.py::test_a_dump_under_churn_is_whole",
    "the default route needs a family": "test_traps.py::test_the_default_route_needs_no_hint",
    "link_lookup(altname=) finds nothing": "test_traps.py::test_an_alternative_name_stands_for_the_interface",
    "lifetimes of addresses are dropped": "test_traps.py::test_lifetimes_of_addresses_are_kept",
    "IFA_PROTO is unknown": "test_traps.py::test_the_protocol_of_an_address_is_kept_as_its_mark",
    "NDA_SRC_VNI is unknown": "test_traps.py::test_the_same_mac_in_two_vnis_is_two_entries",
    "EBUSY is not asked again": "test_traps_process.py::test_what_is_busy_for_a_moment_is_waited_for",
    "batches: stray acknowledgements, KeyError": "test_traps.py::test_errors_are_matched_to_their_requests_and_carry_the_kernels_words",
    "batches: many requests": "test_traps.py::test_more_requests_than_fit_a_send_arrive_in_order",
    "words instead of numbers fail": "test_traps.py::test_words_become_the_numbers_that_the_kernel_has",
    "unknown keywords are ignored": "test_bad_input.py::test_a_mistake_is_named_and_nothing_has_been_changed",
    "net_ns_fd is a name, a path or a descriptor": "test_links.py::test_a_namespace_is_given_by_name_path_or_pid",
    "netns.create: FileExistsError": "test_traps_process.py::test_an_empty_file_in_the_place_of_a_namespace_is_no_namespace_and_is_used",
    "a version that is too old": "../test_matrix.py::test_a_version_that_is_too_old_says_so",
    "what changed in 0.9": "../test_matrix.py::test_the_engine_with_pyroute2",
    "EINVAL without the kernel's words": "test_links.py::test_the_kernels_own_words_are_in_the_error",
    # what others had
    "a VXLAN refuses options on presence: the second run fails": "test_links.py::test_only_differences_are_sent_to_a_vxlan",
    "what cannot change in place": "test_links.py::test_what_a_vxlan_cannot_change_is_refused_with_the_reason_or_made_anew",
    "an FDB entry of a unicast MAC hides another": "test_traps.py::test_zero_macs_are_appended_and_a_unicast_mac_is_replaced",
    "a link made anew loses its ports": "test_links.py::test_a_bridge_port_comes_back_to_a_bridge_that_is_made_anew",
    "a veth's peer in another namespace has another's index": "test_links.py::test_both_ends_of_a_veth_may_be_in_namespaces_that_are_not_the_callers",
    "a name that the host has as well": "test_links.py::test_an_end_of_a_veth_may_have_the_name_of_a_link_of_the_host",
    "a veth's end in the wrong namespace": "test_links.py::test_a_veth_whose_end_is_still_in_the_wrong_namespace_is_moved_not_made_anew",
    "exists but is not a bridge": "test_bad_input.py::test_a_wrong_kind_of_the_same_name_is_not_taken_for_right",
    "a master that is no bridge": "test_traps.py::test_a_master_that_is_no_bridge_is_told",
    "the MAC address is changed by others between creation and setting": "test_traps.py::test_a_mac_address_is_right_from_the_first_message_on",
    "foreign routes and rules are removed by networkd": "test_traps.py::test_what_somebody_else_took_away_is_put_back_and_theirs_stays",
    "two owners overwrite each other": "test_bad_input.py::test_what_others_made_is_not_taken_over_unasked",
    "what a killed run left blocks the next": "test_traps_process.py::test_a_killed_run_blocks_nobody_and_is_cleaned_up_after",
    "a half-written file of its own": "test_traps_process.py::test_a_ledger_that_cannot_be_read_is_told_and_begun_anew",
    "two runs at once": "test_bad_input.py::test_two_runs_at_once_wait_for_each_other_or_say_so",
    "data without a kind is acknowledged and ignored":
        "test_traps.py::test_data_without_a_kind_is_acknowledged_and_ignored_so_the_kind_is_always_sent",
    "SSH_CONNECTION is lost under become": "test_guard.py::test_the_connection_is_found_although_sudo_dropped_it",
    # the kernel
    "IPv6 metric 0 is 1024": "test_traps.py::test_an_ipv6_metric_of_nothing_is_1024_and_no_difference",
    "an IPv6 blackhole shows lo": "test_traps.py::test_an_ipv6_blackhole_reads_back_with_lo_and_that_is_no_difference",
    "multipath: IPv4 one route, IPv6 merged": "test_traps.py::test_multipath_is_one_route_in_both_families",
    "an IPv4 route over IPv6": "test_traps.py::test_an_ipv4_route_over_an_ipv6_next_hop",
    "proxy entries are in no usual dump": "test_traps.py::test_proxy_entries_are_seen_though_no_usual_dump_has_them",
    "a rule has no replace, and a deletion takes the first that fits": "test_rules.py::test_of_two_rules_the_one_that_is_meant_goes",
    "down and up flushes; a new MAC address flushes": "test_side_effects.py::test_what_changes_on_a_link_that_is_up_takes_nothing_along",
    "a primary address takes the secondary ones along": "test_side_effects.py::test_a_removed_address_takes_no_other_along",
    "an mtu below 1280 removes IPv6": "test_side_effects.py::test_a_failure_brings_back_what_went_along",
    "the group is kept in another namespace": "test_links.py::test_links_carry_the_mark_on_both_ends_and_in_other_namespaces",
    "alias is not taken at creation": "test_properties.py::test_any_network_becomes_any_other_and_then_nothing_is_left_to_do",
    "timers are rounded": "../modules/test_modules.py::test_a_module_keeps_its_promises",
    "receive queues are not shown by every kernel": "test_links.py::test_receive_queues_are_stated_also_where_the_kernel_does_not_show_them",
    "a plain file under /run/netns": "test_traps_process.py::test_a_file_of_somebody_else_in_the_place_of_a_namespace_stays",
    "a namespace whose name is part of another's, or a number": "test_traps_process.py::test_names_that_are_part_of_another_name_are_not_mixed_up",
    "a namespace is removed in the background": "test_links.py::test_names_end_with_their_removal_and_can_be_used_again_at_once",
    "EEXIST of a name that is going": "test_traps_process.py::test_a_name_that_is_going_in_the_background_is_waited_for",
    "a process keeps a removed namespace": "test_teardown.py::test_the_outer_ends_are_gone_on_return_even_if_a_process_stays_in_the_namespace",
    "fallback devices appear everywhere and cannot be removed": "test_bad_input.py::test_built_in_and_foreign_links_are_not_deleted",
    "the flow label is in network byte order": "test_links.py::test_the_flow_label_of_a_vxlan_is_a_number_in_network_byte_order",
    "an overlay larger than its underlay": "test_bad_input.py::test_a_tunnel_larger_than_its_underlay_is_refused",
    "iptables-save rewrites what it was given": "../iptables/test_iptables_rules.py::test_what_iptables_writes_otherwise_is_no_difference",
}  # fmt: skip


@pytest.mark.parametrize("test", TRAPS.values(), ids=TRAPS)
def test_a_trap_has_a_test(test: str) -> None:
    file, name = test.split("::")
    assert f"\ndef {name}(" in (ENGINE / file).read_text("utf-8")
