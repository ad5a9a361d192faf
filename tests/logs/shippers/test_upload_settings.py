"""Where batches may be uploaded to."""

from __future__ import annotations

from pathlib import Path

import pytest

from logs.shippers.base import ShipperMisconfigured, ShipUnavailable
from logs.shippers.upload import Uploader
from logs.shippers.upload_errors import AuthoritiesUnreadable
from tests.fakes.collector import Collector
from tests.logs.batches import closed_batch
from tests.logs.shippers.uploads import upload


def test_the_log_service_is_that_of_the_product_we_follow_where_nothing_is_set() -> None:
    uploader = Uploader.from_settings()
    assert str(uploader.url) == "https://logs.threatstop.com/logupload.pl"
    assert (uploader.url.port, uploader.proxy) == (443, None)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8444/upload", "http://[::1]:8444/upload"])
def test_plain_http_is_for_this_machine(url: str) -> None:
    assert str(Uploader.from_settings(url=url).url) == url


@pytest.mark.parametrize(
    "url", ["http://logs.example/upload", "http://192.0.2.1:8444/upload", "http://localhost:8444/"]
)
def test_plain_http_to_anywhere_else_is_refused(url: str) -> None:
    with pytest.raises(ShipperMisconfigured, match="must begin with https://; http:// is only for"):
        Uploader.from_settings(url=url)


@pytest.mark.parametrize(
    "url", ["ftp://logs.example/", "https://user:pass@logs.example/", "https://a b/", "logs", ""]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ShipperMisconfigured, match=r"^the upload URL must "):
        Uploader.from_settings(url=url)


def test_plain_http_through_a_proxy_is_refused() -> None:
    with pytest.raises(ShipperMisconfigured, match="must be https:// where a proxy is set"):
        Uploader.from_settings(url="http://127.0.0.1:8444/", proxy="http://proxy.example:3128")


def test_a_file_of_authorities_that_cannot_be_read_now_is_tried_again(tmp_path: Path) -> None:
    with pytest.raises(AuthoritiesUnreadable, match=r"No such file.*tried again later") as caught:
        Uploader.from_settings(ca_file=tmp_path / "missing.pem")
    assert isinstance(caught.value, ShipUnavailable)


def test_a_file_of_authorities_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("no certificate\n")
    with pytest.raises(ShipperMisconfigured, match=r"empty\.pem holds none"):
        Uploader.from_settings(ca_file=tmp_path / "empty.pem")


def test_a_batch_goes_to_a_collector_on_this_machine_in_plain(tmp_path: Path) -> None:
    with Collector(tmp_path / "store") as collector:
        assert upload(closed_batch(tmp_path / "spool"), collector.url()).status == 200
