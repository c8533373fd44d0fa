# SPDX-License-Identifier: MIT
# BuildPackage: `make PACKAGE.stage` installs a package into STAGE/root and writes into STAGE/control one file for each thing
# that the package says of itself.
# All recipes are expanded before the first of them runs.
$(shell $(INSTALL_DIR) $(STAGE)/root $(STAGE)/control)
VERSION := $(PKG_VERSION)-r$(PKG_RELEASE)

define Package/Fields
Section=$(SECTION)
Title=$(TITLE)
Depends=$(filter-out @%,$(DEPENDS))
License=$(PKG_LICENSE)
Version=$(VERSION)
endef

# 1: package; 2: what, 3: the file's name
define Package/Write
$(if $(value Package/$(1)/$(2)),$(file >$(STAGE)/control/$(3),$(Package/$(1)/$(2))))
endef

define Package/Stage
.PHONY: $(1).stage
$(1).stage: export FIELDS=$$(FIELDS_$(1))
$(1).stage:
	$$(call Package/$(1)/install,$(STAGE)/root)
	@printf '%s\n' "$$$$FIELDS" > $(STAGE)/control/fields
	$$(call Package/Write,$(1),description,description)
	$$(call Package/Write,$(1),conffiles,conffiles)
	$$(call Package/Write,$(1),preinst,preinst)
	$$(call Package/Write,$(1),postinst,postinst-pkg)
	$$(call Package/Write,$(1),prerm,prerm-pkg)
	$$(call Package/Write,$(1),postrm,postrm)
endef

define BuildPackage
$(eval $(Package/$(1)))
$(eval FIELDS_$(1) := $$(Package/Fields))
$(eval $(call Package/Stage,$(1)))
endef
