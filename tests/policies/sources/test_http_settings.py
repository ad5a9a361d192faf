"""The settings of a web list: what is taken, and what is refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from policies.sources.base import Layout, SourceMisconfigured
from policies.sources.http import USER_AGENT, HttpSource
from policies.sources.http_settings import AUTH
from policies.sources.http_url import BadUrl, Url


def test_has_defaults_for_all_but_the_url() -> None:
    source = HttpSource.from_settings({"url": "https://lists.example/list.txt?key=1"})
    assert source.url == Url("https", "lists.example", 443, "/list.txt?key=1")
    assert (source.member, source.layout, source.auth) == ("", Layout(), ())
    assert (source.user_agent, source.max_redirects) == (USER_AGENT, 3)
    assert (source.route.max_bytes, source.route.proxy) == (64 << 20, None)


@pytest.mark.parametrize(
    ("text", "url", "shown"),
    [
        ("HTTPS://Lists.Example", ("https", "lists.example", 443, "/"), "https://lists.example/"),
        ("http://a.example.:80/x", ("http", "a.example", 80, "/x"), "http://a.example/x"),
        ("http://a.example:8080", ("http", "a.example", 8080, "/"), "http://a.example:8080/"),
        ("http://[2001:DB8::1]/", ("http", "2001:db8::1", 80, "/"), "http://[2001:db8::1]/"),
        ("http://a.example/?k=secret#x", ("http", "a.example", 80, "/?k=secret"),
         "http://a.example/?…"),
        ("http://a.example/ä%20", ("http", "a.example", 80, "/%C3%A4%20"),
         "http://a.example/%C3%A4%20"),
    ],
)  # fmt: skip
def test_a_url_is_taken_apart_and_shown_without_its_query(
    text: str, url: tuple[str, str, int, str], shown: str
) -> None:
    found = Url.parse(text)
    assert found == Url(*url)
    assert str(found) == shown
    assert "secret" not in repr(found)


@given(st.text(st.characters(), max_size=60))
def test_a_redirect_leads_to_a_web_address_or_is_refused_and_nothing_else(location: str) -> None:
    try:
        url = Url.parse("https://lists.example/a/b").joined(location)
    except BadUrl:
        return
    assert url.scheme in {"http", "https"}
    assert url.target.isascii()
    assert url.target.startswith("/")


def test_the_settings_that_are_kept_secret_are_named() -> None:
    assert set(HttpSource.secrets) == {
        "password", "token", "header_value", "client_key", "proxy_password",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"auth": "digest"}, "auth"),
        ({"auth": "basic"}, "username"),
        ({"auth": "basic", "username": "a:b", "password": "x"}, "username"),
        ({"auth": "basic", "username": "a"}, "password"),
        ({"auth": "basic", "username": "a", "password": 7}, "password"),
        ({"auth": "bearer"}, "token"),
        ({"auth": "bearer", "token": "a\r\nX: b"}, "token"),
        ({"auth": "bearer", "token": "\u00fc"}, "token"),
        ({"auth": "header"}, "header_name"),
        ({"auth": "header", "header_name": "a b", "header_value": "x"}, "header_name"),
        ({"auth": "header", "header_name": "Host", "header_value": "x"}, "header_name"),
        ({"auth": "header", "header_name": "Key"}, "header_value"),
        ({"proxy": "https://proxy.example:3128"}, "proxy"),
        ({"proxy": "socks5://proxy.example"}, "proxy"),
        ({"proxy": "http://u:geheim@proxy.example"}, "proxy"),
        ({"proxy": "http://proxy.example/x"}, "proxy"),
        ({"proxy": "http://proxy.example", "proxy_username": "a"}, "proxy_password"),
        ({"url": "ftp://lists.example/"}, "url"),
        ({"url": "https://me:geheim@lists.example/"}, "url"),
        ({"url": "https:///list"}, "url"),
        ({"url": "https://lists.example:0x50/"}, "url"),
        ({"url": "https://l\u00efsts.example/"}, "url"),
        ({"url": "https://lists.example/a b"}, "url"),
        ({"url": "https://lists.example/" + "x" * 2000}, "url"),
        ({"url": 7}, "url"),
        ({"max_bytes": 1}, "max_bytes"),
        ({"max_redirects": 11}, "max_redirects"),
        ({"member": 7}, "member"),
        ({"user_agent": "a\nb"}, "user_agent"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_name_and_no_secret_repeated(
    wrong: dict[str, object], named: str
) -> None:
    with pytest.raises(SourceMisconfigured, match=rf"^{named}\b") as raised:
        HttpSource.from_settings({"url": "https://lists.example/list.txt", **wrong})
    assert "geheim" not in str(raised.value)
    assert len(str(raised.value)) < 400


TEXTS = st.one_of(
    st.text(st.characters(), max_size=12),
    st.sampled_from(["csv", "json", "1", "$.a", "http://proxy.example", "me", "Key", "\ud800"]),
)
KEYS = [
    "layout", "column", "separator", "path", "member", "username", "header_name", "proxy",
    "proxy_username", "ca", "client_certificate", "user_agent", *HttpSource.secrets,
]  # fmt: skip
URLS = st.just("https://lists.example/") | TEXTS.map("https://lists.example/".__add__)


@given(
    URLS,
    st.sampled_from(AUTH),
    st.lists(TEXTS, max_size=2),
    st.dictionaries(st.sampled_from(KEYS), TEXTS, max_size=6),
)
def test_whatever_is_set_builds_a_source_or_is_refused_and_nothing_else(
    url: str, auth: str, allowed: list[str], more: dict[str, str]
) -> None:
    """Also with halves of surrogate pairs, which JSON can carry and no wire can."""
    settings = {"url": url, "auth": auth, "allow_internal": allowed, **more}
    try:
        source = HttpSource.from_settings(settings)
    except SourceMisconfigured:
        return
    assert source.url.host == "lists.example"
