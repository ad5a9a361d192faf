"""The key/value bodies of Firepower, cut where a known key stands in a place where it can stand.

A value may hold `, ` and `: ` and even what looks like a key: people write the names of rules and
zones, and whoever sends a request writes its user agent, its host and its URL. Firepower quotes
nothing, but it writes its fields in an order, and this order tells which key is one:

* Only keys that are known end a value, so `(KHTML, like Gecko)` and `Block, then: log` stay whole.
* A body goes through three stages and never back: what the machine writes (addresses, ports,
  protocol; in the newer body action and reason too), what people wrote (zones, policies, rules),
  what came over the wire (user agent, DNS query, URL, …). Behind the first field of a later stage a
  key of an earlier one is text: `, SrcIP: 192.0.2.1` in a URL, a user agent or the name of a rule
  never becomes an address.
* A key that comes again never overrides the first one.
* Fields that Firepower itself writes behind text from the wire, as those of Security Intelligence,
  are kept apart as `doubtful`, all that claim to be one. Whoever uses them decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

_MACHINE = (
    b"EventPriority", b"DeviceUUID", b"InstanceID", b"FirstPacketSecond", b"ConnectionID",
    b"SrcIP", b"DstIP", b"SrcPort", b"DstPort", b"ICMPType", b"ICMPCode", b"Protocol",
)  # fmt: skip
_VERDICT = (b"AccessControlRuleAction", b"AccessControlRuleReason")
_PEOPLE = (
    b"IngressInterface", b"EgressInterface", b"IngressZone", b"EgressZone", b"IngressVRF",
    b"EgressVRF", b"SourceSecurityGroup", b"DestinationSecurityGroup", b"Endpoint Profile",
    b"DE", b"Policy", b"ACPolicy", b"AccessControlRuleName", b"Prefilter Policy",
    b"Tunnel or Prefilter Rule", b"User", b"UserName",
)  # fmt: skip
_WIRE = (
    b"UserAgent", b"DNSQuery", b"HTTPReferer", b"ReferencedHost", b"Referrer", b"URL", b"URI",
    b"SSLServerName", b"FileName", b"NetBIOSDomain", b"Message",
)  # fmt: skip
# Of these the place is not known in every version; they end a value, and begin no stage.
_ANYWHERE = (
    b"Client", b"ClientVersion", b"ClientAppDetector", b"ApplicationProtocol", b"WebApplication",
    b"ConnectType", b"ConnectionDuration", b"OriginalClientIP", b"originalClientSrcIP",
    b"TCPFlags", b"VLAN_ID", b"MPLS_Label", b"FileCount", b"IPSCount", b"InitiatorPackets",
    b"ResponderPackets", b"InitiatorBytes", b"ResponderBytes", b"NAPPolicy", b"HTTPResponse",
    b"DNSRecordType", b"DNSResponseType", b"DNS_TTL", b"DNS_Sinkhole", b"Sinkhole",
    b"SecIntMatchingIP", b"IPReputationSICategory", b"URLSICategory", b"DNSSICategory",
    b"URLCategory", b"URLReputation", b"NAT_InitiatorIP", b"NAT_InitiatorPort",
    b"NAT_ResponderIP", b"NAT_ResponderPort", b"EncryptPeerIP", b"DecryptPeerIP", b"VPN Action",
    b"SourceSecurityGroupTag", b"SourceSecurityGroupType", b"DestinationSecurityGroupTag",
    b"DestinationSecurityGroupType", b"SourceIP_DynamicAttribute",
    b"DestinationIP_DynamicAttribute", b"SourceIPDynamicAttribute",
    b"DestinationIPDynamicAttribute", b"SSLPolicy", b"SSLRuleName", b"SSLActualAction",
    b"SSLExpectedAction", b"SSLCertificate", b"SSLCipherSuite", b"SSLFlowStatus",
    b"SSLServerCertStatus", b"SSLSessionID", b"SSLTicketID", b"SSLURLCategory", b"SSLVersion",
    b"QoSRule", b"QoSPolicy", b"QoSAppliedInterface", b"EncryptedVisibilityFingerprint",
    b"EncryptedVisibilityProcessName", b"EncryptedVisibilityConfidenceScore",
    b"EncryptedVisibilityThreatConfidence", b"EncryptedVisibilityThreatConfidenceScore",
    b"ClientAppID", b"IngressInterfaceType", b"EgressInterfaceType", b"RuleGroup",
    b"InlineResult", b"Priority", b"GID", b"SID", b"Revision", b"Classification",
    b"IntrusionPolicy", b"FilePolicy", b"FileAction", b"FileDirection", b"FileType", b"FileSize",
    b"FileSHA256", b"FileStorageStatus", b"FileSandboxStatus", b"FileStaticAnalysisStatus",
    b"SHA_Disposition", b"SperoDisposition", b"ThreatName", b"ThreatScore", b"ArchiveDepth",
    b"ArchiveFileName", b"ArchiveFileStatus", b"ArchiveSHA256",
)  # fmt: skip
KEYS = (*_MACHINE, *_VERDICT, *_PEOPLE, *_WIRE, *_ANYWHERE)
_KNOWN = frozenset(KEYS)
_KEY = re.compile(rb"(?:\A|, ?)([A-Za-z][A-Za-z0-9_ ]{1,47}): ?")


class Stage(IntEnum):
    """Who writes what stands in this part of a body."""

    MACHINE = 0
    PEOPLE = 1
    WIRE = 2


# The stage that a key begins; MACHINE, none, for all others.
BEGINS: Mapping[bytes, Stage] = {
    **dict.fromkeys(_PEOPLE, Stage.PEOPLE),
    **dict.fromkeys(_WIRE, Stage.WIRE),
}
_UNTIL = dict.fromkeys(_MACHINE, Stage.MACHINE) | dict.fromkeys(_PEOPLE, Stage.PEOPLE)
# The last stage in which a key is one, in the body of each product; WIRE for all others.
FTD: Mapping[bytes, Stage] = _UNTIL | dict.fromkeys(_VERDICT, Stage.MACHINE)
SFIMS: Mapping[bytes, Stage] = _UNTIL | dict.fromkeys(_VERDICT, Stage.PEOPLE)


@dataclass(slots=True)
class Pairs:
    """The fields of a body."""

    sure: dict[bytes, bytes] = field(default_factory=dict)  # before any text from the wire
    doubtful: dict[bytes, list[bytes]] = field(default_factory=dict)  # behind it

    def add(self, key: bytes, value: bytes, stage: Stage) -> None:
        """Take in a field that begins in `stage`."""
        if stage is Stage.WIRE:
            self.doubtful.setdefault(key, []).append(value.strip())
        else:
            self.sure.setdefault(key, value.strip())


def pairs(body: bytes, until: Mapping[bytes, Stage]) -> Pairs:
    """Return the fields of a body whose keys stand as `until` says."""
    found = Pairs()
    stage = Stage.MACHINE
    held: tuple[bytes, int, Stage] | None = None  # key, where its value begins, its stage
    for match in _KEY.finditer(body):
        key = match[1]
        if key not in _KNOWN or stage > until.get(key, Stage.WIRE):
            continue
        if held is not None:
            found.add(held[0], body[held[1] : match.start()], held[2])
        stage = max(stage, BEGINS.get(key, Stage.MACHINE))
        held = key, match.end(), stage
    if held is not None:
        found.add(held[0], body[held[1] :], held[2])
    return found
