# SPDX-FileCopyrightText: linuxnet.lab contributors
# SPDX-License-Identifier: GPL-3.0-or-later

.DEFAULT_GOAL := help
.PHONY: help lab down lint sanity test unit integration bench dist

help: ## What there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

lab: ## Test hosts on this machine, the documented networks on them, and the proof (NODES=3 FORM=auto)
	@NODES=$(or $(NODES),$(HOSTS)) FORM=$(FORM) tests/tools/lab up

down: ## Remove all that make lab made
	@tests/tools/lab down

lint: ## Style, types, documentation, ansible-lint
	@tests/tools/setup dev
	@tests/tools/check quick

sanity: ## ansible-test sanity
	@tests/tools/setup dev
	@tests/tools/sanity

test: ## Every check and every test
	@tests/tools/setup dev
	@tests/tools/check
	@.venv/bin/python -B -m pytest

unit: ## The tests that need no kernel
	@tests/tools/setup dev
	@.venv/bin/python -B -m pytest tests/unit

integration: ## The tests on this machine's kernel, in namespaces of their own
	@tests/tools/setup dev
	@.venv/bin/python -B -m pytest tests/integration

bench: ## The speed of building and reading beside ip, ip -batch, iptables-save and raw netlink
	@tests/tools/setup dev
	@.venv/bin/python -B tests/benchmark/bench.py
	@.venv/bin/python -B tests/benchmark/reading.py
	@.venv/bin/python -B tests/benchmark/pods.py

dist: ## The collection as Galaxy takes it
	@tests/tools/setup lab
	@.venv/bin/ansible-galaxy collection build --force
