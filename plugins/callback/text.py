# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback text: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: text
type: stdout
author:
  - linuxnet.lab contributors (@linuxnet)
version_added: 0.1.0
short_description: What the info modules found, in the words of ip and iptables-save
description:
  - For ad-hoc commands and C(ansible-console). What a C(linuxnet.lab.*_info) module found is shown by the C(text) of its records.
  - From several hosts it is a table with a line for each record, C(HOST | TEXT), so that their answers can be compared, and searched
    with C(grep). From one host it is C(HOST | ok >>) and the lines. A namespace stands before the text; C(-) says that there is nothing.
  - All other results look as with P(ansible.builtin.minimal#callback), and playbooks as with P(ansible.builtin.default#callback).
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - Set C(stdout_callback=linuxnet.lab.text) and C(bin_ansible_callbacks=true) in the section C([defaults]) of C(ansible.cfg), or
    E(ANSIBLE_STDOUT_CALLBACK) and E(ANSIBLE_LOAD_CALLBACK_PLUGINS).
seealso:
  - plugin: linuxnet.lab.table
    plugin_type: filter
"""

from collections.abc import Callable
from typing import Any

from ansible import constants as C
from ansible.plugins.callback.default import CallbackModule as Default
from ansible.plugins.loader import callback_loader
from ansible_collections.linuxnet.lab.plugins.plugin_utils.texts import listing, records

ADHOC = "__adhoc_playbook__"  # what `ansible` calls its playbook; ansible-console has none


class CallbackModule(Default):
    """Playbooks as usual, ad-hoc commands by the text of their records."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "linuxnet.lab.text"

    def __init__(self) -> None:
        super().__init__()
        self.playbook = False
        self.minimal = callback_loader.get("ansible.builtin.minimal")
        self.hosts: list[str] = []

    def set_options(self, *args: Any, **kwargs: Any) -> None:
        """Both have theirs."""
        super().set_options(*args, **kwargs)
        self.minimal.set_options(*args, **kwargs)

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Whether it is one."""
        self.playbook = playbook._file_name != ADHOC
        if self.playbook:
            super().v2_playbook_on_start(playbook)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Which hosts there are."""
        if self.playbook:
            super().v2_playbook_on_play_start(play)
        else:
            self.hosts = play.get_variable_manager().get_vars(play=play)["ansible_play_hosts_all"]

    def v2_runner_on_ok(self, result: Any) -> None:
        """Records by their text."""
        ours = str(result._task.resolved_action or "").startswith("linuxnet.lab.") and not self.playbook
        found = records(result._result) if ours else None
        if found is None:
            (super() if self.playbook else self.minimal).v2_runner_on_ok(result)
            return
        self._handle_warnings(result._result)
        host = result._host.get_name()
        if len(self.hosts) > 1:
            lines = listing(found, host, first=max(map(len, self.hosts)))
        else:
            lines = [f"{host} | ok >>", *listing(found)]
        self._display.display("\n".join(lines), color=C.COLOR_OK)


def _as_usual(name: str) -> Callable[..., None]:
    def event(self: CallbackModule, *args: Any, **kwargs: Any) -> None:
        getattr(super(CallbackModule, self) if self.playbook else self.minimal, name)(*args, **kwargs)

    return event


for _name in [name for name in vars(Default) if name.startswith("v2_") and name not in vars(CallbackModule)]:
    setattr(CallbackModule, _name, _as_usual(_name))
