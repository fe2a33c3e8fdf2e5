# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The become plugin netns: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: netns
author:
  - linuxnet.lab contributors (@linuxnet)
version_added: 0.1.0
short_description: Run tasks in a network namespace
description:
  - Runs any module, over any connection, as root in a network namespace of the host.
  - What C(become_user) names is the namespace. There is no default, and a task without one fails, as does one whose namespace does not
    exist or is the host's own. No task runs in the host's own namespace.
  - A login as root enters the namespace at once; any other user goes through C(sudo).
  - In a namespace with a name the task sees what C(ip netns exec) shows, C(/sys) of the namespace and the files of
    C(/etc/netns/NAME) in the place of those in C(/etc).
options:
  netns:
    description:
      - The network namespace, by its name (as in C(ip netns)), by the path of its file, or by the PID of a process in it.
      - This is C(become_user) by the name of what it means here. Under its own name Ansible would take it for a user, skip
        this plugin if the login user has the same name, and try to give the files of a task to that user.
      - A number is a PID if there is no namespace of that name.
    type: str
    ini:
      - section: privilege_escalation
        key: become_user
      - section: netns_become_plugin
        key: netns
    env:
      - name: ANSIBLE_BECOME_USER
      - name: ANSIBLE_NETNS
    vars:
      - name: ansible_become_user
      - name: ansible_netns
    keyword:
      - name: become_user
  become_exe:
    description: The C(sudo) executable, for logins that are not root.
    type: str
    default: sudo
    ini:
      - section: privilege_escalation
        key: become_exe
      - section: sudo_become_plugin
        key: executable
      - section: netns_become_plugin
        key: executable
    env:
      - name: ANSIBLE_BECOME_EXE
      - name: ANSIBLE_SUDO_EXE
      - name: ANSIBLE_NETNS_EXE
    vars:
      - name: ansible_become_exe
      - name: ansible_sudo_exe
      - name: ansible_netns_exe
    keyword:
      - name: become_exe
  become_flags:
    description: Options for C(sudo). V(-n) is left out when there is a password.
    type: str
    default: -H -S -n
    ini:
      - section: privilege_escalation
        key: become_flags
      - section: sudo_become_plugin
        key: flags
      - section: netns_become_plugin
        key: flags
    env:
      - name: ANSIBLE_BECOME_FLAGS
      - name: ANSIBLE_SUDO_FLAGS
      - name: ANSIBLE_NETNS_FLAGS
    vars:
      - name: ansible_become_flags
      - name: ansible_sudo_flags
      - name: ansible_netns_flags
    keyword:
      - name: become_flags
  become_pass:
    description: The password for C(sudo).
    type: str
    ini:
      - section: sudo_become_plugin
        key: password
      - section: netns_become_plugin
        key: password
    env:
      - name: ANSIBLE_BECOME_PASS
      - name: ANSIBLE_SUDO_PASS
      - name: ANSIBLE_NETNS_PASS
    vars:
      - name: ansible_become_password
      - name: ansible_become_pass
      - name: ansible_sudo_pass
      - name: ansible_netns_pass
notes:
  - The host needs iproute2; for a PID or a path C(nsenter) and C(unshare) of util-linux.
  - A file that comes from C(/etc/netns/NAME) is a mount and cannot be replaced inside the namespace; change it from outside.
  - C(/etc/netns) is by name, so it has no part in a namespace that has none.
  - A name, a path or a PID that leads to the host's own namespace is refused on the host, before anything runs. The host's own is the one
    that the connection comes in to.
seealso:
  - plugin: linuxnet.lab.netns
    plugin_type: inventory
  - module: linuxnet.lab.netns
"""

EXAMPLES = r"""
- name: Routes of a namespace
  hosts: all
  become: true
  become_method: linuxnet.lab.netns
  become_user: red
  tasks:
    - name: The way out of red
      ansible.builtin.command: ip route
      changed_when: false

# ansible all -b --become-method linuxnet.lab.netns --become-user red -a 'ip route'
"""

import re
import shlex
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.become import BecomeBase
from ansible_collections.linuxnet.lab.plugins.module_utils._model import netns_name

# Root needs no sudo: its words ($0 is their number) are skipped.
AS_ROOT = '[ "$(id -u)" != 0 ] || shift "$0"; exec "$@"'

# $0 is what become_user says. It is looked for first, because `ip netns exec` ends with 255 if it is not there, which means
# "unreachable" to the ssh plugin; a failure is said as a module would say it.
# A name may lead to the host's own namespace too (`ip netns attach`, docker's `default`), so that is asked before any entering.
# What has no name in /run/netns gets what `ip netns exec` does, but for /etc/netns.
ENTER = """
file=/run/netns/$0
case $0 in
/*) file=$0 ;;
*[!0-9]*) ;;
*) [ -e "$file" ] || file=/proc/$0/ns/net ;;
esac
device() { stat -Lc %d "$1" 2>&1; }
fail() { echo '{"failed": true, "msg": "linuxnet.lab.netns: '"$*"'"}'; exit 1; }
[ "$(device "$file")" = "$(device /proc/self/ns/net)" ] || fail "there is no network namespace $0 ($file)"
[ ! "$file" -ef /proc/self/ns/net ] || fail "$0 is the network namespace of the host itself ($file)"
case $file in /run/netns/*) exec ip netns exec "${file#/run/netns/}" "$@" ;; esac
exec nsenter --net="$file" unshare --mount --propagation slave \
  sh -c 'umount -l /sys; mount -t sysfs sysfs /sys && exec "$@"' sh "$@"
""".strip()


class Root(str):
    """The user that tasks run as. Ansible leaves a become plugin out if that `!=` the login user is false; for root it is not."""

    def __ne__(self, other: object) -> bool:
        return True


class BecomeModule(BecomeBase):
    """A namespace is entered where other plugins become a user."""

    name = "linuxnet.lab.netns"
    # what sudo says
    fail = ("Sorry, try again.",)
    missing = ("Sorry, a password is required to run sudo", "sudo: a password is required")

    def build_become_command(self, cmd: str, shell: object) -> str:
        """The command that runs `cmd` in the namespace. AnsibleError if none is named."""
        super().build_become_command(cmd, shell)
        if not cmd:
            return cmd
        sudo = self._sudo()
        words = ["sh", "-c", AS_ROOT, str(len(sudo)), *sudo, "sh", "-c", ENTER, checked(self.get_option("netns"))]
        return f"{shlex.join(words)} {self._build_success_command(cmd, shell)}"

    def get_option(self, option: str, *args: Any, **kwargs: Any) -> Any:
        """An option's value. Ansible asks for become_user to know whose home and whose files there are: root's."""
        return Root("root") if option == "become_user" else super().get_option(option, *args, **kwargs)

    def _sudo(self) -> list[str]:
        """sudo with its options, as in its own plugin."""
        flags = shlex.split(self.get_option("become_flags") or "")
        self.prompt = ""
        if self.get_option("become_pass"):
            self.prompt = f"[sudo via ansible, key={self._id}] password:"
            flags = [*interactive(flags), "-p", self.prompt]
        return [self.get_option("become_exe") or "sudo", *flags]


def interactive(flags: list[str]) -> list[str]:
    """sudo's options without --non-interactive."""
    kept = [flag if flag.startswith("--") else re.sub(r"^(-\w*)n", r"\1", flag) for flag in flags]
    return [flag for flag in kept if flag not in ("-", "--non-interactive")]


def checked(netns: str | None) -> str:
    """A namespace's name, path or PID. AnsibleError if it is none of these."""
    if not netns:
        raise AnsibleError("linuxnet.lab.netns: no network namespace named: set become_user to one")
    try:
        return netns if netns.startswith("/") else netns_name(netns)
    except ValueError as error:
        raise AnsibleError(f"linuxnet.lab.netns: become_user: {error}") from None
