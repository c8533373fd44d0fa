# SPDX-License-Identifier: MIT
"""The judge finds every error that a module commits on purpose, and nothing in a kernel that did no wrong."""

import re

import pytest

import kbed
import kernel_log

# What each error of faulty.c is reported as.
FAULTS = {
    "read": r"KASAN: slab-out-of-bounds in read_beyond",
    "ring": r"KASAN: vmalloc-out-of-bounds in read_beyond_mapped",
    "free": r"KASAN: (slab-)?use-after-free in read_freed",
    "sleep": r"scheduling while atomic|sleeping function called from invalid context",
    "inversion": r"possible circular locking dependency",
    "shift": r"UBSAN: shift-out-of-bounds",
    "timer": r"ODEBUG: free active",
    "device": r"unregister_netdevice: waiting for lo",
    "warning": r"WARNING: .* warn\+",
    "count": r"refcount_t: decrement hit 0",
}
# Those that Debian's kernels notice, too; the last only where atomic sections are counted.
NOTICED = ["warning", "count", "sleep"]


def commit(guest, fault):
    module = guest.put(kbed.built_module(kbed.FAULTY, guest.kind))
    if fault == "device":
        script = f"/bin/ip netns add gone; /bin/ip netns exec gone insmod {module} fault=device; /bin/ip netns del gone; sleep 15"
    else:
        script = f"insmod {module} fault={fault}"
    guest.run(f"{script}; rmmod faulty").check()


def assert_found(guest, fault):
    guest.begin()
    commit(guest, fault)
    found = guest.reports()
    assert [report for report in found if re.search(FAULTS[fault], report.text)], (found, guest.log_since())
    with pytest.raises(kbed.KernelMisbehaved):
        guest.judge()


@pytest.mark.parametrize("fault", FAULTS)
def test_report_is_found(guest_root, fault):
    with kbed.UmlKernel(guest_root) as guest:
        assert_found(guest, fault)


def test_leak_is_found(guest_root):
    with kbed.UmlKernel(guest_root) as guest:
        guest.run(f"insmod {guest.put(kbed.built_module(kbed.FAULTY, guest.kind))} fault=leak").check()
        assert [leak for leak in guest.suspects() if leak.names("faulty") and leak.size == 256]
        with pytest.raises(kbed.KernelMisbehaved, match="leak"):
            guest.judge_leaks()
        guest.unload("faulty")
        # Its functions have no names any more.
        assert [leak for leak in guest.suspects() if leak.nameless]
        with pytest.raises(kbed.KernelMisbehaved):
            guest.judge_leaks()


@pytest.mark.parametrize("clock", ["still", "virtual", "real"])
def test_nothing_is_found_where_nothing_is_wrong(guest_root, clock):
    """Not in the kernel's own start either, nor in links that come and go and programs that run."""
    with kbed.UmlKernel(guest_root, clock) as guest:
        assert_clean(guest)
        guest.judge_leaks()


@pytest.mark.parametrize("kind", [kind for kind in kbed.available_kinds() if kind != "uml"])
def test_debian_kernel(guest_root, kind):
    with kbed.DebianGuest(guest_root, kind, modules=["veth"]) as guest:
        assert_clean(guest)
        counted = "CONFIG_PREEMPT_COUNT=y\n" in guest.debian.config.read_text()
        for fault in NOTICED if counted else NOTICED[:-1]:
            assert_found(guest, fault)


def assert_clean(guest):
    guest.run(
        """
        set -e
        for round in 1 2 3; do
            /bin/ip netns add far
            /bin/ip link add near type veth peer name far netns far
            /bin/ip addr add 192.0.2.1/24 dev near
            /bin/ip -n far addr add 192.0.2.2/24 dev far
            /bin/ip link set near up
            /bin/ip -n far link set far up
            ping -c 3 -i 0.1 192.0.2.2
            /bin/ip netns del far
        done
        """
    ).check()
    assert kernel_log.reports(guest.kernel_log()) == []
    guest.load(kbed.FAULTY)
    guest.unload("faulty")
    guest.judge()


def test_text_of_reports():
    """One report is one, a known one is none, and what is tolerated is left out."""
    log = """\
[    1.000000] eth0: link up
[    1.100000] ==================================================================
[    1.100000] BUG: KASAN: use-after-free in send+0x1/0x2 [ktrxer]
[    1.100000] Call Trace:
[    1.100000]  send+0x1/0x2 [ktrxer]
[    1.200000] ktrxer: ready
"""
    (report,) = kernel_log.reports(log)
    assert report.title == "BUG: KASAN: use-after-free in send+0x1/0x2 [ktrxer]"
    assert "ktrxer: ready" in report.text
    assert kernel_log.reports(log, ["KASAN"]) == []
    far = "\n".join([f"line {number}" for number in range(30)])
    assert len(kernel_log.reports(f"{log}{far}\n[    2.000000] WARNING: CPU: 0 PID: 1 at net/core/dev.c:1\n")) == 2
    noise = "WARNING: suspicious RCU usage\n[<600>] ? force_flush_all+0x0/0x1\n"
    assert kernel_log.reports(noise) == []
    assert len(kernel_log.reports(noise.replace("force_flush_all", "send"))) == 1


def test_text_of_leaks():
    text = """\
unreferenced object 0x6441b200 (size 256):
  comm "insmod", pid 28, jiffies 4294938144
  hex dump (first 32 bytes):
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  ................
  backtrace:
    [<000000001387ef6b>] save_stack_trace+0x91/0xa2
    [<00000000ade7d8a4>] kmalloc_trace+0x2a/0x6e
    [<0000000094d3e3f4>] leak+0x49/0x74 [faulty]
    [<000000008eca08bd>] 0x8180f0dd
    [<00000000b91b2aa6>] do_one_initcall+0x13b/0x336
"""
    (leak,) = kernel_log.leaks(text)
    assert leak == kernel_log.Leak(256, ("leak [faulty]", "0x8180f0dd", "do_one_initcall"))
    assert leak.names("faulty") and not leak.names("ktrxer") and leak.nameless
