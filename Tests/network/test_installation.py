# SPDX-License-Identifier: MIT
"""make install puts the agent and what belongs to it where a gateway looks for them, spares a job file that is there, and make
uninstall takes it all back. The service unit is right, and lets the agent do what it does."""

import re
import shutil
import stat
import subprocess

import pytest

from bed import AGENT, ROOT, SERVER4

UNIT = ROOT / "packaging/gateway/ktrxer.service"
SHARED = [
    "bash-completion/completions/ktrxer-agent", "doc/ktrxer/gateway.conf", "man/man1/ktrxer-agent.1", "man/man4/krx.4",
    "man/man4/ktrxer.4", "man/man4/ktx.4", "man/man5/ktrxer-jobs.5",
]


def make(target, folder, *variables):
    return subprocess.run(
        ["make", "--no-print-directory", "-C", ROOT, target, f"DESTDIR={folder}", *variables], capture_output=True, text=True
    )


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize("prefix", ["/usr/local", "/usr"])
def test_install_and_uninstall(tmp_path, prefix):
    done = make("install", tmp_path, f"PREFIX={prefix}")
    assert done.returncode == 0, done
    place = prefix[1:]
    unit = f"{place}/lib/systemd/system/ktrxer.service"
    assert files(tmp_path) == {
        "etc/config/ktrxer", f"{place}/bin/ktrxer-agent", unit, *(f"{place}/share/{name}" for name in SHARED)
    }
    for name in files(tmp_path):
        mode = stat.S_IMODE((tmp_path / name).stat().st_mode)
        assert mode == (0o755 if name.endswith("bin/ktrxer-agent") else 0o644), name
    agent = tmp_path / place / "bin/ktrxer-agent"
    assert subprocess.run([agent, "version"], capture_output=True, text=True, check=True).stdout.startswith("ktrxer-agent ")
    assert f"\nExecStart={prefix}/bin/ktrxer-agent run\n" in (tmp_path / unit).read_text()
    assert subprocess.run([agent, "check", tmp_path / "etc/config/ktrxer"], capture_output=True).returncode == 0

    # A job file of the owner's outlives both.
    jobs = tmp_path / "etc/config/ktrxer"
    jobs.write_text("# mine\n")
    done = make("install", tmp_path, f"PREFIX={prefix}")
    assert done.returncode == 0 and "stays as it is" in done.stdout, done
    assert jobs.read_text() == "# mine\n"
    done = make("uninstall", tmp_path, f"PREFIX={prefix}")
    assert done.returncode == 0 and "was changed and stays" in done.stdout, done
    assert files(tmp_path) == {"etc/config/ktrxer"}
    assert not (tmp_path / place / "share/doc/ktrxer").exists()

    # One that nobody has touched goes.
    jobs.unlink()
    make("install", tmp_path, f"PREFIX={prefix}")
    done = make("uninstall", tmp_path, f"PREFIX={prefix}")
    assert done.returncode == 0 and files(tmp_path) == set(), done
    assert make("uninstall", tmp_path, f"PREFIX={prefix}").returncode == 0


def test_nothing_is_installed_before_it_is_built(tmp_path):
    done = make("install", tmp_path / "root", f"OUT={tmp_path}/nowhere")
    assert done.returncode != 0, done
    assert f"install: no {tmp_path}/nowhere/ktrxer-agent yet; run: make build TARGET=x86_64" in done.stderr
    assert not (tmp_path / "root").exists()


def test_manual_pages_are_found(tmp_path):
    make("install", tmp_path)
    pages = tmp_path / "usr/local/share/man"
    for section, name in (1, "ktrxer-agent"), (4, "ktrxer"), (4, "ktx"), (4, "krx"), (5, "ktrxer-jobs"):
        seen = subprocess.run(["mandoc", "-T", "utf8", pages / f"man{section}/{name}.{section}"], capture_output=True, text=True)
        assert seen.returncode == 0 and f"{name.upper()}({section})" in seen.stdout, seen


def test_unit_is_valid(tmp_path):
    unit = tmp_path / "ktrxer.service"
    text = UNIT.read_text()
    # The manual pages and the agent are not installed here.
    text = re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE)
    unit.write_text(text.replace("/usr/local/bin/ktrxer-agent", str(AGENT)))
    seen = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
    complaints = [line for line in seen.stderr.splitlines() if "ktrxer" in line]
    assert seen.returncode == 0 and not complaints, seen
    unit.write_text(unit.read_text().replace("ProtectSystem=strict", "ProtectSystem=stricct"))
    seen = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
    assert "stricct" in seen.stderr, "verify finds no error"


def allowed_calls(word):
    """The system calls of an item of SystemCallFilter=."""
    if not word.startswith("@"):
        return {word}
    listed = subprocess.run(
        ["systemd-analyze", "--no-pager", "syscall-filter", word], capture_output=True, text=True, check=True
    ).stdout.splitlines()[1:]
    words = [line.strip() for line in listed if line.strip() and not line.strip().startswith("#")]
    return set().union(*map(allowed_calls, words))


JOBS = f"""
config agent
	option output 'results.jsonl'
	option state 'state'
	option max_pps '1000'
config job 'ping'
	option kind 'ping'
	list target '{SERVER4}'
	option count '2'
	option gap '50ms'
	option at 'start'
config job 'trace'
	option kind 'trace'
	list target '{SERVER4}'
	option at 'start'
config job 'train'
	option kind 'train'
	list target '{SERVER4}'
	option protocol 'tcp'
	option at 'start'
config job 'name'
	option kind 'ping'
	list target 'no-such-name.invalid'
	option at 'start'
config job 'socket'
	option kind 'ping'
	option protocol 'udp'
	option transport 'socket'
	list target '{SERVER4}'
	option count '2'
	option gap '50ms'
	option at 'start'
"""


def test_unit_lets_the_agent_work(plain):
    """With the unit's capabilities alone, and no system call that its filter would refuse."""
    text = UNIT.read_text()
    capabilities = re.search(r"^CapabilityBoundingSet=(.*)$", text, re.MULTILINE)[1].lower().replace("cap_", "+")
    allowed = set().union(*map(allowed_calls, re.search(r"^SystemCallFilter=(.*)$", text, re.MULTILINE)[1].split()))
    folder = plain.folder / "service"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "jobs").write_text(JOBS)
    seen = plain.run(
        f"cd {folder}; timeout -s TERM 40 strace -f -o calls setpriv --bounding-set -all,{capabilities.replace(' ', ',')} "
        "--no-new-privs ktrxer-agent run -f jobs & watched=$!; "
        "until [ $(wc -l < results.jsonl) -ge 5 ]; do sleep 0.5; kill -0 $watched || break; done 2> /dev/null; "
        "kill -TERM $watched; wait $watched", timeout=60
    )
    results = (folder / "results.jsonl").read_text()
    for job in "ping", "trace", "train", "socket":
        assert re.search(rf'"job":"{job}".*"reached":true', results), f"{job}\n{results}\n{seen}"
    assert results.count('"transport":"packet"') >= 3, results
    calls = (folder / "calls").read_text()
    # What setpriv did before it became the agent is not the agent's.
    calls = calls[calls.index("/ktrxer-agent\", "):]
    used = set(re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed)", calls, re.MULTILINE))
    assert {"sendto", "ppoll", "adjtimex"} & used and len(used) > 20, used
    assert used <= allowed, f"the filter refuses {used - allowed}"
    families = set(re.findall(r"socket\((AF_\w+|PF_\w+)", calls))
    granted = set(re.search(r"^RestrictAddressFamilies=(.*)$", text, re.MULTILINE)[1].split())
    assert families and families <= granted, families
    executable = re.findall(r"(?:mmap|mprotect)\([^)]*PROT_EXEC[^)]*\)", calls)
    assert "MemoryDenyWriteExecute=yes" in text and not [one for one in executable if "PROT_WRITE" in one], executable
