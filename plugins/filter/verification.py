# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters probes, late_probes, verdicts, service_requests, service_answers, lab_report and conflicts: see their documentation beside this file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.linuxnet.lab.plugins.plugin_utils.conflicts import conflicts
from ansible_collections.linuxnet.lab.plugins.plugin_utils.lab_report import report
from ansible_collections.linuxnet.lab.plugins.plugin_utils.service_verification import answers, requests
from ansible_collections.linuxnet.lab.plugins.plugin_utils.verification import late, probes, verdicts


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters under their names."""
        return {
            "probes": probes,
            "late_probes": late,
            "verdicts": verdicts,
            "service_requests": requests,
            "service_answers": answers,
            "lab_report": report,
            "conflicts": conflicts,
        }
