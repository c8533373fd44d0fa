# SPDX-License-Identifier: MIT
# Stands in for OpenWrt's build system where that is not at hand: enough for the feed's Makefiles to put their files and
# package data into STAGE. packaging/stage.py calls it; package.mk and kernel.mk are its other two files.
INCLUDE_DIR := $(TOPDIR)
INSTALL_DIR := install -d -m0755
INSTALL_BIN := install -m0755
INSTALL_DATA := install -m0644
INSTALL_CONF := install -m0600
CP := cp -fpR
.SECONDEXPANSION:
