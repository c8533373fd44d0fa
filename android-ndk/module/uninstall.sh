#!/system/bin/sh
# SPDX-License-Identifier: MIT
# By Magisk or KernelSU when the module is removed, and its folder with it: what runs ends.
sh "${0%/*}/bundle/stop.sh" --unload > /dev/null 2>&1
