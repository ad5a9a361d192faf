"""Well-known public lists, ready to be added: where each is, what it holds and on what terms.

The terms are told in our own words and may have changed; the publisher's page counts. No refresh
is faster than its publisher asks for, or than the list changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

HOUR = 60
DAY = 24 * HOUR

_FREE_WITH_CREDIT = "Free for all uses; credit to the publisher and its copyright line stay with it"
_NO_TERMS = "Published for everybody; no licence is stated"
_NOT_COMMERCIAL = "Not for commercial use; ask the publisher for anything else"
_EACH_ITS_OWN = "A compilation: the terms of each list in it count, some not for commercial use"

_WITH_BOGONS = (
    "It holds special-purpose ranges, private addresses among them: these are cut out of a policy, "
    "unless it says that it wants them."
)
_SHARED = "Many people share these addresses, and not all of them mean harm."


@dataclass(frozen=True, slots=True)
class Preset:
    """A public list on the web."""

    key: str
    name: str
    url: str
    lists: str  # what it lists, in a sentence
    licence: str
    refresh_minutes: int
    entries: int  # the order of its size, when this was written
    layout: tuple[tuple[str, str], ...] = ()  # settings beyond the URL
    serves: Literal["block", "allow"] = "block"
    needs: tuple[str, ...] = ()  # settings that a person has to bring
    may_be_empty: bool = False
    severity: int = 3  # of traffic with what it lists, 1 a nuisance, 5 a compromised machine
    caution: str = ""

    def settings(self) -> dict[str, object]:
        """Return the settings of the source of kind "http" that retrieves it."""
        return {"url": self.url, **dict(self.layout)}


PRESETS: tuple[Preset, ...] = (
    Preset(
        key="spamhaus-drop",
        name="Spamhaus DROP",
        url="https://www.spamhaus.org/drop/drop_v4.json",
        lists="IPv4 networks that are hijacked or leased by criminals: drop all of their traffic.",
        licence=_FREE_WITH_CREDIT,
        refresh_minutes=DAY,
        entries=1_000,
        severity=4,
        layout=(("layout", "json"), ("path", "$.cidr")),
    ),
    Preset(
        key="spamhaus-dropv6",
        name="Spamhaus DROP (IPv6)",
        url="https://www.spamhaus.org/drop/drop_v6.json",
        lists="IPv6 networks that are hijacked or leased by criminals: drop all of their traffic.",
        licence=_FREE_WITH_CREDIT,
        refresh_minutes=DAY,
        entries=100,
        severity=4,
        layout=(("layout", "json"), ("path", "$.cidr")),
    ),
    Preset(
        key="dshield-block",
        name="DShield recommended block list",
        url="https://feeds.dshield.org/block.txt",
        lists="The twenty /24 networks that attacked most sensors in the last three days.",
        licence="Creative Commons BY-NC-SA: name the source, not for commercial use, share alike",
        refresh_minutes=4 * HOUR,
        entries=20,
        layout=(("layout", "dshield"),),
    ),
    Preset(
        key="feodo-tracker",
        name="abuse.ch Feodo Tracker (recommended)",
        url="https://feodotracker.abuse.ch/downloads/ipblocklist_recommended.txt",
        lists="Command servers of banking trojans that are or lately were in use.",
        licence="Public domain (CC0), commercial use included",
        refresh_minutes=HOUR,
        entries=10,
        severity=5,
        may_be_empty=True,
        caution="After a takedown it may hold nothing for months.",
    ),
    Preset(
        key="blocklist-de-all",
        name="blocklist.de (all)",
        url="https://lists.blocklist.de/lists/all.txt",
        lists="Addresses that attacked a reporting server by any service in the last 48 hours.",
        licence=_NO_TERMS,
        refresh_minutes=2 * HOUR,
        entries=10_000,
        severity=2,
    ),
    Preset(
        key="blocklist-de-ssh",
        name="blocklist.de (SSH)",
        url="https://lists.blocklist.de/lists/ssh.txt",
        lists="Addresses that attacked a reporting server by SSH in the last 48 hours.",
        licence=_NO_TERMS,
        refresh_minutes=2 * HOUR,
        entries=10_000,
        severity=2,
    ),
    Preset(
        key="cins-army",
        name="CINS Army",
        url="https://cinsscore.com/list/ci-badguys.txt",
        lists="Addresses with the worst reputation among the publisher's sensors.",
        licence="A free part of a commercial list, for anybody's own protection",
        refresh_minutes=3 * HOUR,
        entries=10_000,
    ),
    Preset(
        key="emerging-threats-block",
        name="Emerging Threats block IPs",
        url="https://rules.emergingthreats.net/fwrules/emerging-Block-IPs.txt",
        lists="Spamhaus DROP, DShield and command servers, put together for firewalls.",
        licence=_NO_TERMS,
        refresh_minutes=12 * HOUR,
        entries=1_000,
        severity=4,
        caution="It repeats Spamhaus DROP and DShield; with those it adds little.",
    ),
    Preset(
        key="emerging-threats-compromised",
        name="Emerging Threats compromised hosts",
        url="https://rules.emergingthreats.net/blockrules/compromised-ips.txt",
        lists="Hosts known to be compromised, from several observers.",
        licence=_NO_TERMS,
        refresh_minutes=12 * HOUR,
        entries=1_000,
        severity=4,
    ),
    Preset(
        key="tor-exits",
        name="Tor exit nodes",
        url="https://check.torproject.org/torbulkexitlist",
        lists="Addresses from which the Tor network reaches the rest of the Internet.",
        licence=_NO_TERMS,
        refresh_minutes=HOUR,
        entries=1_000,
        severity=1,
        caution=_SHARED,
    ),
    Preset(
        key="firehol-level1",
        name="FireHOL level 1",
        url="https://iplists.firehol.org/files/firehol_level1.netset",
        lists="Full bogons, Spamhaus DROP, DShield and command servers, put together.",
        licence=_EACH_ITS_OWN,
        refresh_minutes=6 * HOUR,
        entries=1_000,
        severity=4,
        caution=_WITH_BOGONS,
    ),
    Preset(
        key="firehol-level2",
        name="FireHOL level 2",
        url="https://iplists.firehol.org/files/firehol_level2.netset",
        lists="Addresses that attacked somebody in about the last 48 hours, put together.",
        licence=_EACH_ITS_OWN,
        refresh_minutes=6 * HOUR,
        entries=10_000,
    ),
    Preset(
        key="firehol-level3",
        name="FireHOL level 3",
        url="https://iplists.firehol.org/files/firehol_level3.netset",
        lists="Addresses of attacks, spyware and viruses in about the last 30 days, put together.",
        licence=_EACH_ITS_OWN,
        refresh_minutes=12 * HOUR,
        entries=10_000,
        caution="More than a few false alarms are to be expected.",
    ),
    Preset(
        key="cymru-fullbogons",
        name="Team Cymru full bogons",
        url="https://www.team-cymru.org/Services/Bogons/fullbogons-ipv4.txt",
        lists="IPv4 ranges that are reserved, or that no registry has given to anybody yet.",
        licence="Free to use, as a service to the community; no promises are made",
        refresh_minutes=4 * HOUR,
        entries=1_000,
        severity=2,
        caution=_WITH_BOGONS,
    ),
    Preset(
        key="cymru-fullbogons-v6",
        name="Team Cymru full bogons (IPv6)",
        url="https://www.team-cymru.org/Services/Bogons/fullbogons-ipv6.txt",
        lists="IPv6 ranges that are reserved, or that no registry has given to anybody yet.",
        licence="Free to use, as a service to the community; no promises are made",
        refresh_minutes=4 * HOUR,
        entries=100_000,
        severity=2,
        caution=_WITH_BOGONS,
    ),
    Preset(
        key="greensnow",
        name="GreenSnow",
        url="https://blocklist.greensnow.co/greensnow.txt",
        lists="Addresses that scanned ports or tried passwords at the publisher's sensors.",
        licence=_NO_TERMS,
        refresh_minutes=2 * HOUR,
        entries=1_000,
        severity=2,
    ),
    Preset(
        key="ipsum-3",
        name="IPsum level 3",
        url="https://raw.githubusercontent.com/stamparm/ipsum/master/levels/3.txt",
        lists="Addresses that stand in at least three of some thirty public lists.",
        licence="Unlicense: public domain, made from lists with terms of their own",
        refresh_minutes=DAY,
        entries=10_000,
    ),
    Preset(
        key="ipsum-5",
        name="IPsum level 5",
        url="https://raw.githubusercontent.com/stamparm/ipsum/master/levels/5.txt",
        lists="Addresses that stand in at least five of some thirty public lists.",
        licence="Unlicense: public domain, made from lists with terms of their own",
        refresh_minutes=DAY,
        entries=1_000,
        severity=4,
    ),
    Preset(
        key="binary-defense",
        name="Binary Defense ban list",
        url="https://www.binarydefense.com/banlist.txt",
        lists="Addresses that attacked the honeypots of the publisher and its users.",
        licence=_NOT_COMMERCIAL,
        refresh_minutes=6 * HOUR,
        entries=1_000,
    ),
    Preset(
        key="abuseipdb",
        name="AbuseIPDB blacklist",
        url="https://api.abuseipdb.com/api/v2/blacklist?plaintext",
        lists="The addresses that people report most, as many as the account may have.",
        licence="Needs an account and its key; a free one allows a few retrievals a day",
        refresh_minutes=DAY,
        entries=10_000,
        layout=(("auth", "header"), ("header_name", "Key")),
        needs=("header_value",),
    ),
    Preset(
        key="turris-greylist",
        name="Turris Sentinel greylist",
        url="https://view.sentinel.turris.cz/greylist-data/greylist-latest.csv",
        lists="Addresses that attacked Turris routers, published once a day.",
        licence="Creative Commons BY-NC-SA: name the source, not for commercial use, share alike",
        refresh_minutes=DAY,
        entries=10_000,
        layout=(("layout", "csv"), ("column", "Address")),
    ),
    Preset(
        key="cloudflare-v4",
        name="Cloudflare edge (IPv4)",
        url="https://www.cloudflare.com/ips-v4",
        lists="The addresses from which Cloudflare reaches servers behind it.",
        licence="Published for everybody who runs a server behind it",
        refresh_minutes=DAY,
        entries=10,
        severity=1,
        serves="allow",
    ),
    Preset(
        key="cloudflare-v6",
        name="Cloudflare edge (IPv6)",
        url="https://www.cloudflare.com/ips-v6",
        lists="The IPv6 addresses from which Cloudflare reaches servers behind it.",
        licence="Published for everybody who runs a server behind it",
        refresh_minutes=DAY,
        entries=10,
        severity=1,
        serves="allow",
    ),
    Preset(
        key="github-hooks",
        name="GitHub webhooks",
        url="https://api.github.com/meta",
        lists="The addresses from which GitHub calls webhooks.",
        licence="Published for everybody who receives them",
        refresh_minutes=DAY,
        entries=10,
        severity=1,
        layout=(("layout", "json"), ("path", "$.hooks[*]")),
        serves="allow",
    ),
)

CATALOGUE = MappingProxyType({preset.key: preset for preset in PRESETS})
