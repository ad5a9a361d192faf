"""One line or more of each brand, written here."""

from __future__ import annotations

FTD_BLOCK = (
    b"<113>2026-03-01T01:02:36Z fw-a  %FTD-1-430002: EventPriority: High, "
    b"DeviceUUID: 00000000-0000-0000-0000-000000000001, InstanceID: 3, "
    b"FirstPacketSecond: 2026-03-01T01:02:35Z, ConnectionID: 40001, "
    b"AccessControlRuleAction: Block, AccessControlRuleReason: IP Block, SrcIP: 192.0.2.7, "
    b"DstIP: 198.51.100.9, SrcPort: 40001, DstPort: 443, Protocol: tcp, IngressInterface: inside, "
    b"EgressInterface: outside, IngressZone: in, EgressZone: out, IngressVRF: Global, "
    b"EgressVRF: Global, ACPolicy: pol, AccessControlRuleName: Default Action, "
    b"Prefilter Policy: Default Prefilter Policy, User: Unknown, InitiatorPackets: 1, "
    b"ResponderPackets: 0, InitiatorBytes: 66, ResponderBytes: 0, NAPPolicy: Balanced, "
    b"SecIntMatchingIP: Destination, IPReputationSICategory: our-block-feed"
)
FTD_MONITOR = (
    b"2026-03-01T01:02:36Z fw-a Alerts %NGIPS-0-430003: "
    b"DeviceUUID: 00000000-0000-0000-0000-000000000001, AccessControlRuleAction: Allow, "
    b"AccessControlRuleReason: IP Monitor, SrcIP: 192.0.2.7, DstIP: 198.51.100.9, SrcPort: 65090, "
    b"DstPort: 80, Protocol: tcp, IngressZone: in, EgressZone: out, ACPolicy: pol, "
    b"AccessControlRuleName: Web, out, Prefilter Policy: Unknown, User: Unknown, "
    b"UserAgent: Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/80.0, "
    b"Client: Chrome, ClientVersion: 80.0, ApplicationProtocol: HTTP, ConnectionDuration: 20, "
    b"InitiatorPackets: 4, ResponderPackets: 4, InitiatorBytes: 729, ResponderBytes: 246, "
    b"NAPPolicy: Balanced, SecIntMatchingIP: Source, IPReputationSICategory: our-watch-feed, "
    b"HTTPReferer: http://www.example.com/a?b=c, ReferencedHost: www.example.com, "
    b"URL: http://www.example.com/favicon.ico"
)
FTD_ALLOW = (
    b"<118>2026-03-01T01:02:36Z %FTD-6-430003: DeviceUUID: 00000000-0000-0000-0000-000000000001, "
    b"AccessControlRuleAction: Allow, SrcIP: 2001:db8::7, DstIP: 2001:db8:1::9, SrcPort: 59698, "
    b"DstPort: 53, Protocol: udp, IngressInterface: inside, EgressInterface: outside, "
    b"ACPolicy: pol, AccessControlRuleName: Names: out, Prefilter Policy: Default, "
    b"ConnectionDuration: 0, InitiatorPackets: 1, ResponderPackets: 1, NAPPolicy: Balanced"
)
SFIMS_PAIRS = (
    b"<113>Mar  1 01:02:36 fmc-a SFIMS: Protocol: TCP, SrcIP: 192.0.2.7, OriginalClientIP: ::, "
    b"DstIP: 198.51.100.9, SrcPort: 40001, DstPort: 443, TCPFlags: 0x0, IngressZone: in, "
    b"EgressZone: out, DE: Primary Detection Engine (00000000-0000-0000-0000-000000000001), "
    b"Policy: pol, ConnectType: Start, AccessControlRuleName: Block all, "
    b"AccessControlRuleAction: Block with reset, AccessControlRuleReason: IP Block, "
    b"Prefilter Policy: Default Prefilter Policy, InitiatorPackets: 1, ResponderPackets: 0, "
    b"NAPPolicy: Balanced, DNSResponseType: No Error, Sinkhole: Unknown, "
    b"SecIntMatchingIP: Destination, IPReputationSICategory: our-block-feed, "
    b"URLCategory: Unknown, URLReputation: Risk unknown"
)
SFIMS_LEGACY = (
    b"<113>Mar  1 01:02:36 fmc-a SFIMS: [Primary Detection Engine "
    b"(00000000-0000-0000-0000-000000000001)][pol] Connection Type: Start, User: Unknown, "
    b"Client: Unknown, Application Protocol: Unknown, Web App: Unknown, "
    b"Firewall Rule Name: Block all, Firewall Rule Action: Block, "
    b"Firewall Rule Reasons: IP Block, URL Category: Unknown, URL_Reputation: Risk unknown, "
    b"URL: Unknown, Interface Ingress: s1p1, Interface Egress: N/A, Security Zone Ingress: in, "
    b"Security Zone Egress: N/A, Security Intelligence Matching IP: Source, "
    b"Security Intelligence Category: our-block-feed, {TCP} 192.0.2.7:40001 -> 198.51.100.9:443"
)
KERNEL_TCP = (
    b"<4>Mar  1 01:02:36 gw-a kernel: [ 1806.463962] ThreatSTOP-TSblock IN=eth0 OUT=eth1 "
    b"MAC=02:00:00:00:00:01:02:00:00:00:00:02:08:00 SRC=192.0.2.7 DST=198.51.100.9 LEN=60 "
    b"TOS=0x00 PREC=0x00 TTL=63 ID=32743 DF PROTO=TCP SPT=40001 DPT=443 WINDOW=64240 RES=0x00 "
    b"SYN URGP=0"
)
KERNEL_V6 = (
    b"Mar  1 01:02:36 gw-a kernel: [UFW BLOCK] IN=eth0 OUT= MAC= "
    b"SRC=2001:0db8:0000:0000:0000:0000:0000:0007 DST=2001:0db8:0001:0000:0000:0000:0000:0009 "
    b"LEN=72 TC=0 HOPLIMIT=64 FLOWLBL=868225 PROTO=UDP SPT=5353 DPT=53 LEN=32"
)
ASA_DENY = (
    b"<164>Mar 01 2026 01:02:36 fw-a : %ASA-4-106023: Deny tcp src outside:192.0.2.7/40001 "
    b'dst inside:198.51.100.9/25 by access-group "outside_in" [0x54c7fa80, 0x0]'
)
PANOS_DROP = (
    b"<14>Mar  1 01:02:37 pa-a 1,2026/03/01 01:02:37,012801096514,TRAFFIC,drop,2049,"
    b"2026/03/01 01:02:36,192.0.2.7,198.51.100.9,0.0.0.0,0.0.0.0,our-block-feed,,,"
    b"not-applicable,vsys1,trust,untrust,ethernet1/2,,log-all,2026/03/01 01:02:36,0,1,40001,443,"
    b"0,0,0x0,tcp,deny,66,66,0,1,2026/03/01 01:02:36,0,any,0"
)
FORTIGATE_DENY = (
    b'<189>date=2026-03-01 time=03:02:36 devname="fg-a" devid="FG100D3G00000000" '
    b'logid="0000000013" type="traffic" subtype="forward" level="notice" vd="root" '
    b'eventtime=1772326956683510055 tz="+0200" srcip=192.0.2.7 srcname="host a" srcport=40001 '
    b'srcintf="lan" dstip=198.51.100.9 dstport=443 dstintf="wan1" sessionid=1 proto=6 '
    b'action="deny" policyid=42 policytype="policy" service="HTTPS" sentbyte=0 rcvdbyte=0'
)
IOS_DENY = (
    b"<189>32: Mar  1 01:02:36: %SEC-6-IPACCESSLOGP: list 102 denied tcp 192.0.2.7(40001) -> "
    b"198.51.100.9(443), 1 packet"
)
ALL: dict[str, bytes] = {
    "ftd block": FTD_BLOCK, "ftd monitor": FTD_MONITOR, "ftd allow": FTD_ALLOW,
    "sfims pairs": SFIMS_PAIRS, "sfims legacy": SFIMS_LEGACY, "kernel": KERNEL_TCP,
    "kernel v6": KERNEL_V6, "asa": ASA_DENY, "panos": PANOS_DROP, "fortigate": FORTIGATE_DENY,
    "ios": IOS_DENY,
}  # fmt: skip
