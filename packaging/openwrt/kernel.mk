# SPDX-License-Identifier: MIT
# KernelPackage, for a kernel whose release is LINUX_RELEASE_NAME. kernel_dependency.py says what the package depends on.
define AutoProbe
$(1)
endef

define KernelPackage
define Package/kmod-$(1)
SECTION:=kernel
$$(KernelPackage/$(1))
endef
Package/kmod-$(1)/description = $$(KernelPackage/$(1)/description)
define Package/kmod-$(1)/install
	$$(INSTALL_DIR) $$(1)/lib/modules/$$(LINUX_RELEASE_NAME) $$(1)/etc/modules.d
	$$(INSTALL_DATA) $$(FILES) $$(1)/lib/modules/$$(LINUX_RELEASE_NAME)/
	@printf '%s\n' $$(AUTOLOAD) > $$(1)/etc/modules.d/$(1)
	@chmod 0644 $$(1)/etc/modules.d/$(1)
	$$(call KernelPackage/$(1)/install,$$(1))
endef
$$(eval $$(call BuildPackage,kmod-$(1)))
endef
