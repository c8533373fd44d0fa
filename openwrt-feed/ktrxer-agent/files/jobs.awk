# SPDX-License-Identifier: MIT
# Makes of /etc/config/ktrxer, as `uci export` writes it, the job file that the agent runs now: the target 'gateway' becomes the
# next hop of a default route, and a job whose interface is down, or that has no gateway yet, is disabled.
#   routes   output of `ip route show default`, IPv4 before IPv6
#   waiting  file that gets a line for each job that was disabled: its name, and what it waits for
#   starts   file that gets the names of the jobs that run `at start` and depend on an interface or a gateway that is there

function value(line) {
	sub(/^[^']*'/, "", line)
	sub(/'$/, "", line)
	return line
}

function is_up(interface,   state) {
	state = "missing"
	getline state < ("/sys/class/net/" interface "/operstate")
	close("/sys/class/net/" interface "/operstate")
	return state == "up" || state == "unknown"
}

function gateway(family, interface,   lines, count, i, words, n, k, via, device) {
	count = split(routes, lines, "\n")
	for (i = 1; i <= count; i++) {
		via = device = ""
		n = split(lines[i], words, " ")
		for (k = 1; k < n; k++) {
			if (words[k] == "via") via = words[k + 1]
			if (words[k] == "dev") device = words[k + 1]
		}
		if (via == "" || (interface != "" && device != interface)) continue
		if (via ~ /:/ ? family == "4" : family == "6") continue
		return via ~ /^fe80:/ ? via "%" device : via
	}
	return ""
}

function finish(   address, i, reason) {
	if (type == "job" && enabled) {
		if (interface != "" && !is_up(interface)) reason = "interface " interface
		if (reason == "" && targets) {
			address = gateway(family, interface)
			if (address == "") reason = "a default route"
		}
	}
	for (i = 1; i <= lines; i++) {
		if (address != "" && (i in is_gateway)) sub(/'gateway'/, "'" address "'", text[i])
		print text[i]
	}
	if (reason != "") {
		print "\toption enabled '0'"
		print name " waits for " reason > waiting
	} else if (type == "job" && enabled && at_start && (interface != "" || targets))
		print name > starts
	lines = 0
}

$1 == "config" {
	finish()
	type = $2
	name = value($0)
	enabled = 1
	at_start = targets = 0
	interface = family = ""
	split("", is_gateway)
}
$1 == "option" && $2 == "enabled" { enabled = value($0) + 0 }
$1 == "option" && $2 == "interface" { interface = value($0) }
$1 == "option" && $2 == "family" { family = value($0) }
$1 == "option" && $2 == "at" { at_start = 1 }
$2 == "target" && value($0) == "gateway" {
	targets++
	is_gateway[lines + 1]
}
{ text[++lines] = $0 }
END { finish() }
