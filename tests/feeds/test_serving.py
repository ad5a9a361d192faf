"""What the feed server answers, asked over real sockets."""

from __future__ import annotations

import gzip
import hashlib
import re
from email.utils import parsedate_to_datetime

import pytest

from tests.feeds.server import Appliance, FeedServer, until

BLOCK, ALLOW = "threatstop-block.txt", "threatstop-allow.txt"
FILES = (BLOCK, f"{BLOCK}.md5", ALLOW, f"{ALLOW}.md5")


def test_the_lists_are_served_as_they_were_compiled(server: FeedServer, device: str) -> None:
    block = server.get(f"/{device}/{BLOCK}")
    allow = server.get(f"/{device}/{ALLOW}")
    assert (block.status, allow.status) == (200, 200)
    assert allow.body == b"20.0.7.0/24\n22.0.0.1\n"
    lines = block.body.decode("ascii").split("\n")
    assert lines[-1] == ""
    assert lines[:3] == ["20.0.0.0/22", "20.0.4.0/23", "20.0.6.0/24"]
    assert lines[-3:-1] == ["21.1.1.1", "2a00:1:2::/48"]


def test_a_list_comes_with_its_length_its_type_its_tag_and_its_date(
    server: FeedServer, device: str
) -> None:
    answer = server.get(f"/{device}/{BLOCK}")
    assert answer.headers["Content-Length"] == str(len(answer.body))
    assert answer.headers["Content-Type"] == "text/plain; charset=us-ascii"
    assert answer.headers["ETag"] == f'"{hashlib.sha256(answer.body).hexdigest()}"'
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert parsedate_to_datetime(answer.headers["Last-Modified"]).tzinfo is not None


@pytest.mark.parametrize("path", [BLOCK, f"{BLOCK}.md5", "nothing-here", "/healthz", "/readyz"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_answer_is_a_page_whatever_a_browser_makes_of_it(
    server: FeedServer, device: str, path: str, method: str
) -> None:
    answer = server.get(path if path[0] == "/" else f"/{device}/{path}", method=method)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    rules = answer.headers["Content-Security-Policy"].split("; ")
    assert rules == ["default-src 'none'", "frame-ancestors 'none'", "sandbox"]
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("list_file", [BLOCK, ALLOW])
def test_the_checksum_is_that_of_the_list_and_a_newline(
    server: FeedServer, device: str, list_file: str
) -> None:
    body = server.get(f"/{device}/{list_file}").body
    checksum = server.get(f"/{device}/{list_file}.md5").body
    assert checksum == hashlib.md5(body).hexdigest().encode() + b"\n"  # noqa: S324
    assert re.fullmatch(rb"[0-9a-f]{32}\n", checksum)


@pytest.mark.parametrize("coding", ["", "gzip"])
@pytest.mark.parametrize("path", [*FILES, "nothing-here"])
def test_head_answers_what_get_would_without_the_body(
    server: FeedServer, device: str, path: str, coding: str
) -> None:
    get = server.get(f"/{device}/{path}", Accept_Encoding=coding)
    head = server.get(f"/{device}/{path}", method="HEAD", Accept_Encoding=coding)
    assert head.status == get.status
    assert head.body == b""
    skip = {"Date"}
    assert {k: v for k, v in head.headers.items() if k not in skip} == {
        k: v for k, v in get.headers.items() if k not in skip
    }


@pytest.mark.parametrize("file", FILES)
def test_what_a_client_holds_is_not_sent_again(server: FeedServer, device: str, file: str) -> None:
    path = f"/{device}/{file}"
    first = server.get(path)
    tag, date = first.headers["ETag"], first.headers["Last-Modified"]
    for held in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = server.get(path, If_None_Match=held)
        assert (answer.status, answer.body) == (304, b""), held
        assert answer.headers["ETag"] == tag
    assert server.get(path, If_Modified_Since=date).status == 304
    assert server.get(path, method="HEAD", If_None_Match=tag).status == 304


def test_what_a_client_does_not_hold_is_sent(server: FeedServer, device: str) -> None:
    path = f"/{device}/{BLOCK}"
    date = server.get(path).headers["Last-Modified"]
    assert server.get(path, If_None_Match='"other"').status == 200
    assert server.get(path, If_None_Match="no tag at all").status == 200
    assert server.get(path, If_None_Match='"other"', If_Modified_Since=date).status == 200
    assert server.get(path, If_Modified_Since="yesterday").status == 200


def test_a_later_date_is_no_reason_to_keep_an_older_snapshot(
    server: FeedServer, device: str
) -> None:
    later = "Fri, 01 Jan 2100 00:00:00 GMT"
    assert server.get(f"/{device}/{BLOCK}", If_Modified_Since=later).status == 200


@pytest.mark.parametrize(
    "accepted", ["gzip", "x-gzip", "deflate, gzip;q=0.5", "*", "GZIP", "identity;q=0.5, gzip"]
)
def test_gzip_comes_to_who_accepts_it(server: FeedServer, device: str, accepted: str) -> None:
    path = f"/{device}/{BLOCK}"
    plain, packed = server.get(path), server.get(path, Accept_Encoding=accepted)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert packed.headers["Content-Length"] == str(len(packed.body))
    assert packed.headers["ETag"] != plain.headers["ETag"]
    assert packed.headers["Vary"] == "Accept-Encoding"
    tag = packed.headers["ETag"]
    assert server.get(path, Accept_Encoding=accepted, If_None_Match=tag).status == 304
    assert server.get(path, If_None_Match=tag).status == 200


@pytest.mark.parametrize(
    "accepted", ["", "identity", "gzip;q=0", "*;q=0", "br, deflate", "gzip;q=0.1, identity", "gzi"]
)
def test_gzip_does_not_come_to_who_does_not(server: FeedServer, device: str, accepted: str) -> None:
    answer = server.get(f"/{device}/{BLOCK}", Accept_Encoding=accepted)
    assert "Content-Encoding" not in answer.headers
    assert answer.body.startswith(b"20.0.0.0/22\n")


def test_a_range_is_answered_with_the_whole(server: FeedServer, device: str) -> None:
    answer = server.get(f"/{device}/{BLOCK}", Range="bytes=0-3")
    assert answer.status == 200
    assert len(answer.body) == int(answer.headers["Content-Length"]) > 4


def test_a_query_changes_nothing(server: FeedServer, device: str) -> None:
    assert server.get(f"/{device}/{ALLOW}?again=1").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_only_get_and_head_are_answered(server: FeedServer, device: str, method: str) -> None:
    answer = server.get(f"/{device}/{BLOCK}", method=method)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "path",
    [
        "/", "/admin/", "/admin/login/", "/api/", "/api/v1/devices/", "/static/",
        "/static/admin/css/base.css", "/favicon.ico", "/robots.txt",
        "/tdid_unknown/threatstop-block.txt",
    ],
)  # fmt: skip
def test_nothing_else_is_reachable(server: FeedServer, path: str) -> None:
    answer = server.get(path)
    assert (answer.status, answer.body) == (404, b"not found\n")


@pytest.mark.parametrize(
    "path",
    [
        "/{id}", "/{id}/", "//{id}/{file}", "/{id}//{file}", "/{id}/{file}/", "/x/../{id}/{file}",
        "/{id}/../{id}/{file}", "/%2e%2e/{id}/{file}", "/{id}/{file}%0a", "/{id}/{file}%00",
        "/{id}%00/{file}", "/{id}/..%2f..%2fsecrets%2fsecret_key", "/../../etc/passwd",
        "/{id}/{file}.gz", "/{id}/{file}.md5.md5", "/{id}/THREATSTOP-BLOCK.TXT", "/{id}/{file};x",
        "/%ff%fe/{file}", "/-{id}/{file}", "/" + "a" * 65 + "/{file}", "/" + "a" * 900 + "/{file}",
    ],
)  # fmt: skip
def test_no_trick_with_a_path_leads_anywhere(server: FeedServer, device: str, path: str) -> None:
    answer = server.get(path.format(id=device, file=BLOCK))
    assert (answer.status, answer.body) == (404, b"not found\n")


def test_a_request_line_beyond_all_measure_is_refused(server: FeedServer) -> None:
    answer = server.get("/" + "a" * 5000)
    assert answer.status in {400, 414}


@pytest.mark.parametrize(
    "host", ["203.0.113.9", "no_such-host", "evil.example.net:99", "[::1]", ""]
)
def test_any_host_header_works(server: FeedServer, device: str, host: str) -> None:
    request = f"GET /{device}/{ALLOW} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    assert server.say(request.encode()).startswith(b"HTTP/1.1 200 OK\r\n")


def test_an_old_client_without_a_host_is_served(server: FeedServer, device: str) -> None:
    said = server.say(f"GET /{device}/{ALLOW} HTTP/1.0\r\n\r\n".encode())
    assert said.startswith(b"HTTP/1.0 200 OK\r\n")
    assert said.endswith(b"22.0.0.1\n")


def test_there_is_no_cookie_and_no_gate_for_agents(server: FeedServer, device: str) -> None:
    answer = server.get(f"/{device}/{BLOCK}", User_Agent="sqlmap/1.0 <script>")
    assert answer.status == 200
    assert "Set-Cookie" not in answer.headers


def test_a_connection_carries_many_requests(server: FeedServer, device: str) -> None:
    with server.connected() as raw:
        for _ in range(3):
            raw.sendall(f"HEAD /{device}/{BLOCK} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert raw.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_before_the_first_snapshot_there_is_503_and_when_to_come_again(
    server: FeedServer, appliance: Appliance
) -> None:
    waiting = appliance.add()
    for file in FILES:
        answer = server.get(f"/{waiting}/{file}")
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.body == b"not available, try again\n"


def test_an_empty_list_is_served_with_its_one_harmless_address(
    server: FeedServer, appliance: Appliance
) -> None:
    device = appliance.add(block=["21.0.0.0/24"])
    assert server.get(f"/{device}/{ALLOW}").body == b"192.0.2.1\n"


def test_a_removed_device_is_gone(server: FeedServer, appliance: Appliance) -> None:
    device = appliance.add(block=["21.0.1.0/24"])
    assert server.get(f"/{device}/{BLOCK}").status == 200
    appliance.remove(device)
    until(lambda: server.get(f"/{device}/{BLOCK}").status == 404, "404")


@pytest.mark.parametrize("damage", ["missing", "short"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_file_that_is_missing_or_damaged_is_never_half_served(
    server: FeedServer, appliance: Appliance, damage: str, method: str
) -> None:
    device = appliance.add()
    number = 1 + (damage == "short") * 2 + (method == "HEAD")
    digest = appliance.publish(device, block=[f"21.0.2.{number}"])["feeds"]["block"]["digest"]
    file = appliance.data_dir / "feeds" / f"{digest}.txt"
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1])
    answer = server.get(f"/{device}/{BLOCK}", method=method)
    assert answer.status == 503
    assert answer.headers["Retry-After"]
    assert server.get(f"/{device}/{ALLOW}").status == 200


def test_a_client_outside_the_device_s_networks_sees_nothing(
    server: FeedServer, appliance: Appliance
) -> None:
    closed = appliance.add(block=["21.0.3.0/24"], client_networks="192.0.2.0/24")
    unknown = server.get(f"/tdid_unknown/{BLOCK}")
    answer = server.get(f"/{closed}/{BLOCK}")
    assert (answer.status, answer.body) == (unknown.status, unknown.body) == (404, b"not found\n")
    (pull,) = appliance.pulls(closed, count=1)
    assert (pull["status"], pull["client"]) == (404, "127.0.0.1")


def test_a_client_inside_the_device_s_networks_is_served(
    server: FeedServer, appliance: Appliance
) -> None:
    opened = appliance.add(block=["21.0.4.0/24"], client_networks="192.0.2.0/24 127.0.0.0/8")
    answer = server.get(f"/{opened}/{BLOCK}", X_Forwarded_For="198.51.100.1")
    assert answer.status == 200
    (pull,) = appliance.pulls(opened, count=1)
    assert pull["client"] == "127.0.0.1"
