"""Lists in a fake nameserver, and how the tests ask for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import dns.message
import dns.rcode
import dns.rdatatype

from policies.sources.base import Deadline, Retrieved
from policies.sources.dns_list import DnsListSource
from tests.fakes.nameserver import Nameserver, Step, reply

NAME = "basic.example"


@dataclass(frozen=True, slots=True)
class Zone:
    """A handler that answers from records written `TYPE data`, as an authority should."""

    records: Mapping[str, list[str]]

    def __call__(self, query: dns.message.Message) -> Iterable[Step]:
        question = query.question[0]
        held = self.records.get(question.name.to_text(omit_final_dot=True))
        rdtype = dns.rdatatype.to_text(question.rdtype)
        answers = [text for text in held or [] if text.split(" ")[0] in {rdtype, "CNAME"}]
        message = reply(query, *answers)
        if held is None:
            message.set_rcode(dns.rcode.NXDOMAIN)
        return [message]


def retrieve(*nameservers: Nameserver, seconds: float = 5.0, **settings: object) -> Retrieved:
    """Retrieve the list `NAME` from the nameservers."""
    servers = [nameserver.server for nameserver in nameservers]
    source = DnsListSource.from_settings({"name": NAME, "servers": servers, **settings})
    return source.retrieve(known=None, deadline=Deadline.after(seconds))
