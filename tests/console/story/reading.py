"""The pages of a site and their parts, as they are read."""

from __future__ import annotations

import re
from html import unescape

from django.db.models import Model
from django.test import Client
from django.urls import reverse

from tests.console.pages import address
from tests.logs.hits_site import HitsSite


def page(client: Client, row: Model) -> str:
    answer = client.get(address(type(row), "change", row.pk))
    assert answer.status_code == 200
    return str(answer.content.decode())


def url_of(name: str, row: Model) -> str:
    return reverse("console:part", args=[name, row.pk])


def part(client: Client, name: str, row: Model) -> str:
    answer = client.get(url_of(name, row))
    assert answer.status_code == 200
    return str(answer.content.decode())


def words(html: str) -> str:
    """Return what is read on a page or a part of one, its spaces single."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def links(html: str) -> list[str]:
    return [one.replace("&amp;", "&") for one in re.findall(r'href="([^"]+)"', html)]


def rows_of(site: HitsSite) -> dict[str, Model]:
    return {
        "device": site.berlin,
        "policy": site.policy,
        "source": site.botnets,
        "snapshot": site.snapshot,
    }
