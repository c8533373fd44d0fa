# SPDX-License-Identifier: MIT
"""Reads the agent's records: the one place of the tests that knows their fields (docs/results.md)."""

import dataclasses
import json


@dataclasses.dataclass
class Probe:
    """Times are ns since the start of the measurement; None: never, or not known."""

    sequence: int
    ttl: int
    intended: int
    sent: int | None
    slip: int | None
    received: int | None
    rtt: int | None
    # What kind of answer, and from whom.
    answer: str | None
    sender: str | None
    icmp_code: int | None
    mtu: int | None
    duplicates: int
    reordered: bool
    late: bool
    failure: str | None

    @property
    def answered(self):
        """In time, by anybody."""
        return self.received is not None and not self.late


class Record:
    """One measurement."""

    def __init__(self, fields):
        self.fields = fields
        self.kind = fields["kind"]
        self.job = fields.get("job")
        self.target = fields.get("target")
        self.address = fields.get("address")
        self.interface = fields.get("interface")
        self.transport = fields.get("transport")
        self.reached = fields.get("reached")
        self.error = fields.get("error", {}).get("id")
        # CLOCK_REALTIME ns.
        self.scheduled = fields.get("scheduled_ns")
        self.started = fields.get("started_ns")
        self.skipped = fields.get("skipped_runs")
        statistics = fields.get("statistics", {})
        self.statistics = statistics
        self.sent_count = statistics.get("sent")
        self.answered_count = statistics.get("received")
        self.rtt = statistics.get("rtt_ns")
        self.probes = [_probe(probe) for probe in fields.get("probes", [])]

    def __repr__(self):
        return json.dumps(self.fields)


def _probe(fields):
    answer = fields.get("answer", {})
    return Probe(
        sequence=fields["seq"], ttl=fields["ttl"], intended=fields["intended_ns"], sent=fields.get("sent_ns"),
        slip=fields.get("slip_ns"), received=fields.get("received_ns"), rtt=fields.get("rtt_ns"),
        answer=answer.get("kind"), sender=answer.get("from"), icmp_code=answer.get("icmp_code"), mtu=answer.get("mtu"),
        duplicates=fields.get("duplicates", 0), reordered=fields.get("reordered", False), late=fields.get("late", False),
        failure=fields.get("error", {}).get("id"),
    )


def records(text):
    """The records among the lines of a text, each of which has to be whole."""
    return [Record(fields) for fields in map(json.loads, text.splitlines()) if fields["kind"] != "lost_records"]


def lost_records(text):
    """How many records the log says could not be written."""
    lines = map(json.loads, text.splitlines())
    return sum(fields["count"] for fields in lines if fields["kind"] == "lost_records")
