# SPDX-License-Identifier: MIT
# Installing on a Linux gateway: the agent that was built for TARGET, what belongs to it, and a job file to start from.
# Nothing is built here, so that root does not compile. For another machine: make install TARGET=… DESTDIR=folder.
PREFIX ?= /usr/local
DESTDIR ?=

INSTALL_PAGES := man1/ktrxer-agent.1 man4/krx.4 man4/ktrxer.4 man4/ktx.4 man5/ktrxer-jobs.5
INSTALL_SHARE = $(DESTDIR)$(PREFIX)/share
INSTALL_COMPLETION = $(INSTALL_SHARE)/bash-completion/completions/ktrxer-agent
INSTALL_UNIT = $(DESTDIR)$(PREFIX)/lib/systemd/system/ktrxer.service
INSTALL_EXAMPLE = $(INSTALL_SHARE)/doc/ktrxer/gateway.conf
INSTALL_JOBS = $(DESTDIR)/etc/config/ktrxer

.PHONY: install
install: ## install the agent built for TARGET, manual pages, completion, service, and a job file if there is none (PREFIX, DESTDIR)
	@[ -x $(OUT)/ktrxer-agent ] || { echo "install: no $(OUT)/ktrxer-agent yet; run: make build TARGET=$(TARGET)" >&2; exit 69; }
	install -D -m 0755 $(OUT)/ktrxer-agent $(DESTDIR)$(PREFIX)/bin/ktrxer-agent
	for page in $(INSTALL_PAGES); do install -D -m 0644 docs/man/$$page $(INSTALL_SHARE)/man/$$page || exit; done
	install -D -m 0644 packaging/gateway/ktrxer-agent.bash $(INSTALL_COMPLETION)
	install -D -m 0644 packaging/gateway/ktrxer.service $(INSTALL_UNIT)
	sed -i 's|/usr/local|$(PREFIX)|' $(INSTALL_UNIT)
	install -D -m 0644 packaging/gateway/gateway.conf $(INSTALL_EXAMPLE)
	@if [ -e $(INSTALL_JOBS) ]; then echo "install: $(INSTALL_JOBS) stays as it is; $(INSTALL_EXAMPLE) is the example"; \
	else set -x; install -D -m 0644 packaging/gateway/gateway.conf $(INSTALL_JOBS); fi

.PHONY: uninstall
uninstall: ## remove what install has put there; a job file that was changed stays (PREFIX, DESTDIR)
	rm -f $(DESTDIR)$(PREFIX)/bin/ktrxer-agent $(addprefix $(INSTALL_SHARE)/man/,$(INSTALL_PAGES)) \
		$(INSTALL_COMPLETION) $(INSTALL_UNIT)
	@if cmp -s $(INSTALL_JOBS) packaging/gateway/gateway.conf; then set -x; rm $(INSTALL_JOBS); \
	elif [ -e $(INSTALL_JOBS) ]; then echo "uninstall: $(INSTALL_JOBS) was changed and stays; remove it by hand"; fi
	rm -f $(INSTALL_EXAMPLE)
	-@rmdir $(dir $(INSTALL_EXAMPLE)) $(dir $(INSTALL_JOBS)) 2>/dev/null || true
