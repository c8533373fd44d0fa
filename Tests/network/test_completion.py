# SPDX-License-Identifier: MIT
"""What bash completes behind ktrxer-agent is what the agent's own help lists: commands, options, words for values."""

import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest

from bed import AGENT, ROOT

FILE = ROOT / "packaging/gateway/ktrxer-agent.bash"
MEASUREMENTS = ["ping", "trace", "train"]


def complete(*words):
    """The candidates for the last of the words behind ktrxer-agent."""
    script = f"""
        source '{FILE}'
        [ "$(complete -p ktrxer-agent)" = 'complete -F _ktrxer_agent ktrxer-agent' ] || exit 1
        COMP_WORDS=(ktrxer-agent "$@")
        COMP_CWORD=$#
        _ktrxer_agent ktrxer-agent "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
        [ ${{#COMPREPLY[@]}} = 0 ] || printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    seen = subprocess.run(["bash", "--norc", "-c", script, "bash", *words], capture_output=True, text=True)
    assert seen.returncode == 0 and not seen.stderr, seen
    return seen.stdout.splitlines()


def told(*command):
    return subprocess.run([AGENT, "help", *command], capture_output=True, text=True, check=True).stdout


def commands():
    return list(dict.fromkeys(re.findall(r"^  ktrxer-agent (\w+)", told(), re.MULTILINE)))


def options(command):
    """{option as one types it: what its line of help says}; both ways to write one have the same line."""
    found = {}
    usage, *lines = told(command).splitlines()
    for line in lines:
        written = re.match(r"  +(-\S+?)(?:, (-\S+))?(?: [A-Z]+)?(?:  |$)", line)
        for option in written.groups() if written else ():
            if option:
                found[option.replace("_", "-")] = line
    # Options that only the first line has.
    found.update({option: usage for option in re.findall(r"--[a-z-]+", usage) if option not in found})
    return found


def test_commands():
    assert len(commands()) == 8
    assert sorted(complete("")) == sorted(commands())
    assert complete("tr") == ["trace", "train"]
    assert sorted(complete("help", "")) == sorted(set(commands()) - {"help", "version"})
    assert complete("help", "ping", "") == complete("version", "") == []


@pytest.mark.parametrize("command", commands())
def test_options(command):
    wanted = set() if command in ("help", "version") else set(options(command))
    assert command not in MEASUREMENTS or len(wanted) > 20
    assert set(complete(command, "-")) == wanted | {"-h", "--help"}
    for option in wanted:
        assert option in complete(command, option)


@pytest.mark.parametrize("command", MEASUREMENTS)
def test_values(command):
    """Words where help has words, interfaces, files; nothing where there are numbers or times, least of all hosts."""
    words = 0
    for option, line in options(command).items():
        values = complete(command, option, "")
        listed = re.search(r": (\w+(?:, \w+)* or \w+)$", line)
        if listed and option not in ("-4", "-6", "-D"):
            words += 1
            assert sorted(values) == sorted(re.split(", | or ", listed[1])), option
        elif "interface name" in line:
            assert sorted(values) == sorted(os.listdir("/sys/class/net")), option
        elif "FILE" in line or option in ("-4", "-6", "-D", "--json"):
            continue
        else:
            assert values == [], option
    assert words == 6, "family, protocol, df and transport"


def test_equals_sign():
    assert complete("ping", "--transport", "=", "k") == ["kernel"]
    assert len(complete("ping", "--transport", "=")) == 4
    assert complete("trace", "--max_hops", "=", "") == []


def test_files(tmp_path):
    for name in ("one job.conf", "other.conf"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    wanted = sorted(str(tmp_path / name) for name in ("folder", "one job.conf", "other.conf"))
    for words in (["run", "-f"], ["run", "--once", "--file"], ["check"], ["doctor"], ["ping", "--pcap"], ["run", "--pcap", "="]):
        assert sorted(complete(*words, f"{tmp_path}/")) == wanted, words


def test_hosts(tmp_path):
    """Those that bash knows, from its own list (HOSTFILE or /etc/hosts)."""
    names = complete("ping", "localh")
    assert "localhost" in names, names
    assert complete("run", "localh") == []


def test_at_a_terminal(tmp_path):
    """As a person has it: letters, then the tabulator."""
    (tmp_path / "one job.conf").touch()
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.environ.update(PS1="ready> ", TERM="dumb", INPUTRC="/dev/null", HOME=str(tmp_path))
        os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])

    def typed(text, until):
        os.write(terminal, text.encode())
        seen, end = "", time.monotonic() + 20
        while until not in seen:
            assert time.monotonic() < end, f"no {until!r} in {seen!r}"
            if select.select([terminal], [], [], 1)[0]:
                seen += os.read(terminal, 4096).decode()

    try:
        typed(f"source {FILE}; echo read''y\n", "ready\r\n")
        for text, whole in (
            ("ktrxer-agent ru\t --du\t -f on\t", "ktrxer-agent run  --due  -f one\\ job.conf "),
            ("ktrxer-agent ping --transport=ke\t", "ktrxer-agent ping --transport=kernel "),
            ("ktrxer-agent trace --max-h\t", "ktrxer-agent trace --max-hops "),
        ):
            typed(text, whole)
            typed("\x15echo do''ne\n", "done\r\n")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
