# Two commands do all their own set-up on a fresh Debian machine: `make run` and `make test`.
# `make help` lists the rest.

VENV = .venv
PYTHON = $(VENV)/bin/python

.DEFAULT_GOAL := help
.PHONY: help run test test-system test-integration test-zabbix test-incidents test-mutations captures looking packages \
	release test-packages test-versions golden options templates manuals bench bench-packages clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile

run: $(VENV)/run ## every check against this host, one line each
	@$(PYTHON) tools/run_checks.py

test: $(VENV)/test ## formatting, lint, types, unit, golden and property tests; needs no root
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy plugins tools
	$(PYTHON) -m pytest -n auto

test-system: $(VENV)/test ## tests on real kernel tables; needs root
	@test "$$(id -u)" = 0 || { echo 'make test-system needs root: it makes network namespaces'; exit 1; }
	@# A firewall must not start, now or at the next boot, because a test wants its program.
	dpkg --status ferm >/dev/null 2>&1 || echo 'ferm ferm/enable boolean false' | debconf-set-selections
	tools/install-packages iproute2 iptables nftables conntrack ferm kmod mount procps util-linux
	$(PYTHON) -m pytest tests/system

# Nothing here may start a daemon on the machine itself; what the tests start, they start in their sandbox.
INTEGRATION = icinga2 nagios4-core mailutils nagios-nrpe-server nagios-nrpe-plugin monitoring-plugins-basic sudo \
	icingaweb2-module-director icingacli php-pgsql postgresql influxdb openssh-server openssl curl iproute2 iptables nftables conntrack mount util-linux

test-integration: $(VENV)/test ## tests with real Icinga 2, Nagios 4, NRPE and sudo; needs root
	tools/install-packages --idle $(INTEGRATION)
	rm -rf build/wheels
	$(VENV)/bin/pip wheel --quiet --disable-pip-version-check --wheel-dir build/wheels . setuptools wheel
	tools/sandbox $(PYTHON) -m pytest tests/integration
	$(PYTHON) -m pytest tests/documents

ZABBIX = zabbix-server-pgsql zabbix-frontend-php zabbix-agent zabbix-agent2 postgresql php-cli php-pgsql php-gd php-xml \
	php-mbstring php-bcmath chromium iproute2 iptables conntrack sudo mount util-linux

test-zabbix: $(VENV)/test ## tests with real Zabbix 6.0 and 7.0 at the same time; needs root
	tools/install-packages --idle $(ZABBIX)
	rm -rf build/wheels
	$(VENV)/bin/pip wheel --quiet --disable-pip-version-check --wheel-dir build/wheels . setuptools wheel
	$(PYTHON) -m tests.zabbix

INCIDENTS = qemu-system-x86 qemu-utils mmdebstrap mount cpio xz-utils gzip e2fsprogs kmod systemd passwd

test-incidents: $(VENV)/test ## the outages caused in virtual machines, on three kernels; needs root
	@test "$$(id -u)" = 0 || { echo 'make test-incidents needs root: it builds a file system'; exit 1; }
	tools/install-packages $(INCIDENTS)
	rm -rf build/incidents
	$(PYTHON) -m pytest -n 3 --dist worksteal --ignore=tests/incidents/test_mutations.py tests/incidents

test-mutations: $(VENV)/test ## break the suite on purpose: each regression must turn its scenario red; needs root
	@test "$$(id -u)" = 0 || { echo 'make test-mutations needs root: it builds a file system'; exit 1; }
	tools/install-packages $(INCIDENTS)
	$(PYTHON) -m pytest -n 3 --dist worksteal tests/incidents/test_mutations.py

captures: $(VENV)/test ## make fixtures of the trees that the last test-incidents brought back; then make golden
	$(PYTHON) -m tests.incidents.captures

looking: $(VENV)/test ## rewrite the table in docs/looking.md from what looking loads now; needs root
	tools/install-packages $(INCIDENTS)
	$(PYTHON) -m tests.incidents.looking

packages: ## sdist, wheel, Debian package and RPM into build/packages; needs root for what they are built with
	rm -rf build/packages
	tools/make-packages build/packages

release: $(VENV)/package ## all artefacts of TAG into build/release, when versions and changelogs agree
	tools/make-release "$(TAG)"

test-packages: $(VENV)/package packages ## install, upgrade, attack and purge the packages on clean systems; needs root
	tools/install-packages lintian rpmlint util-linux iproute2 python3-dev gcc libc6-dev $(INCIDENTS)
	$(PYTHON) -m pytest tests/packages

test-versions: ## unit tests on the oldest and the newest supported Python and libraries; needs root
	tools/test-versions

golden: $(VENV)/test ## rewrite tests/golden from what the checks say now; read the diff
	$(PYTHON) -m tests.golden.rewrite

options: $(VENV)/test ## rewrite the option tables in docs/checks
	$(PYTHON) tools/write_options.py

templates: $(VENV)/test ## rewrite templates/ from the option tables
	$(PYTHON) -m tools.templates

manuals: $(VENV)/test ## rewrite packaging/man and packaging/completion from the option tables
	$(PYTHON) -m tools.manuals

bench: $(VENV)/run ## cost of each check, a snapshot and the top, as ratios to what people use instead; the top needs root
	@test "$$(id -u)" != 0 || tools/install-packages iproute2 conntrack mawk util-linux
	@$(PYTHON) tests/benchmarks/cost.py
	@$(PYTHON) -m tests.benchmarks.snapshot
	@$(PYTHON) -m tests.benchmarks.top

bench-packages: $(VENV)/test packages ## cost of the packaged checks beside the checkout's and other plugins; needs root
	tools/install-packages mmdebstrap mount util-linux iproute2
	@$(PYTHON) -m tests.benchmarks.packaged

clean: ## remove what these targets made
	rm -rf $(VENV) build plugins/*.egg-info .mypy_cache .ruff_cache .hypothesis

$(VENV)/run: setup.cfg pyproject.toml
	tools/make-venv $(VENV) '.'
	@touch $@

$(VENV)/package: setup.cfg pyproject.toml $(VENV)/test
	tools/make-venv $(VENV) '.[package]'
	@touch $@

$(VENV)/test: setup.cfg pyproject.toml $(VENV)/run
	tools/make-venv $(VENV) '.[test]'
	@touch $@
