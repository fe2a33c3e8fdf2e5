#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: netns_info
short_description: Read which network namespaces a host has, and who is in them
version_added: 0.1.0
description:
  - Returns the namespaces of C(ip netns list), and those without a name, as containers have; with the processes in each,
    and the names of the containers that they belong to.
  - No container runtime is asked. A process's control group holds the container's id, and the files of docker,
    containerd, podman and CRI-O hold its name.
  - Nothing is ever changed.
extends_documentation_fragment:
  - linuxnet.lab.info.host
  - linuxnet.lab.info.reading
options:
  grep:
    description: Only what has these characters in its C(text), as C(grep -F) would find them.
    type: str
  container:
    description: Only the namespace of the container (or the pod) with this name, or with an id that begins so.
    type: str
  processes:
    description: How many processes of each namespace are told at the most; how many there are is told in any case.
    type: int
    default: 20
seealso:
  - module: linuxnet.lab.netns
  - module: linuxnet.lab.link_info
  - module: linuxnet.lab.snapshot_info
"""

EXAMPLES = r"""
- name: All network namespaces
  linuxnet.lab.netns_info:
  register: found

- name: Those of ip netns list
  ansible.builtin.debug:
    msg: "{{ found.namespaces | map(attribute='name') | select | list }}"

- name: Where is the container minio?
  linuxnet.lab.netns_info:
    container: minio
  register: minio

- name: What does its network look like, and which end on the host belongs to it?
  linuxnet.lab.link_info:
    netns: "{{ minio.namespaces[0].netns }}"
"""

RETURN = r"""
namespaces:
  description: The one that Ansible came in to first, then those with a name, then the others.
  returned: success
  type: list
  elements: dict
  contains:
    netns:
      description: 'What other modules take as O(netns) for it: its name, else its path; empty for the one that Ansible came in to.'
      type: str
      returned: always
    name:
      description: Its name, as in C(ip netns list); V(null) for none.
      type: str
      returned: always
    path:
      description: A file that leads to it.
      type: str
      returned: always
    inode:
      description: 'The number of that file in the kernel: the namespace''s identity for as long as it lives.'
      type: int
      returned: always
    nsid:
      description: The kernel's id of it as seen from the namespace that Ansible came in to; V(null) where there is none (yet).
      type: int
      returned: always
    pids:
      description: The processes in it, in rising order, O(processes) of them at the most.
      type: list
      elements: int
      returned: always
    processes:
      description: The same processes with their programs.
      type: list
      elements: dict
      returned: always
      contains:
        pid:
          description: The process.
          type: int
          returned: always
        command:
          description: The name of its program, without arguments.
          type: str
          returned: always
    process_count:
      description: How many processes there are in it; threads of the kernel do not count.
      type: int
      returned: always
    containers:
      description: The containers that these processes belong to. Those of a pod share a namespace.
      type: list
      elements: dict
      returned: always
      contains:
        runtime:
          description: V(docker), V(containerd), V(podman) or V(cri-o); V(null) where nothing tells.
          type: str
          returned: always
        id:
          description: The container's id, in full.
          type: str
          returned: always
        name:
          description: Its name; V(null) where nothing tells.
          type: str
          returned: always
        pod:
          description: The Kubernetes pod; V(null) for none.
          type: str
          returned: always
        namespace:
          description: The Kubernetes namespace of the pod; V(null) for none.
          type: str
          returned: always
    text:
      description: As C(ip netns list) prints it; what has no name by its path, with a process and the containers in it.
      type: str
      returned: always
  sample:
    - {netns: red, name: red, path: /run/netns/red, inode: 4026532281, nsid: 0, pids: [], processes: [], process_count: 0,
       containers: [], text: 'red (id: 0)'}
    - netns: /proc/4242/ns/net
      name: null
      path: /proc/4242/ns/net
      inode: 4026532419
      nsid: 2
      pids: [4242, 4301]
      processes: [{pid: 4242, command: pause}, {pid: 4301, command: minio}]
      process_count: 2
      containers:
        - runtime: docker
          id: 6525e65814a99d431b6978e8f8c895013176c6c58173b56639d4b020c14e6022
          name: k8s_minio_minio-b6d98746c-m7rzc_velero_0
          pod: minio-b6d98746c-m7rzc
          namespace: velero
      text: '/proc/4242/ns/net (id: 2) pid 4242 pause container k8s_minio_minio-b6d98746c-m7rzc_velero_0'
"""

from ansible_collections.linuxnet.lab.plugins.module_utils._info import netns
from ansible_collections.linuxnet.lab.plugins.module_utils._info.main import run


def main():
    run("namespaces", netns.SPEC, netns.look)


if __name__ == "__main__":
    main()
