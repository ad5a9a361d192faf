"""Web lists from a real nginx."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from policies.sources.base import Deadline, Known, Retrieved
from policies.sources.http import HttpSource, Version
from policies.sources.http_errors import NotAList, NotFound
from tests.fakes.foreground import NotInstalled
from tests.fakes.nginx import Nginx
from tests.policies.sources.web import body_of

LIST = b"".join(b"192.0.2.%d\n" % number for number in range(256))
MOMENT = 1_795_262_400


@pytest.fixture(scope="module")
def nginx() -> Iterator[Nginx]:
    try:
        with Nginx() as server:
            yield server
    except NotInstalled as missing:
        pytest.skip(str(missing))


def retrieve(nginx: Nginx, path: str, known: Retrieved | None = None) -> Retrieved | None:
    source = HttpSource.from_settings({"url": nginx.url(path), "allow_internal": ["127.0.0.1"]})
    held = Known(known.version) if known and known.version else None
    return source.retrieve(known=held, deadline=Deadline.after(10))


@pytest.mark.parametrize("path", ["/{}", "/packed/{}"])
def test_a_list_is_retrieved_once_and_again_only_when_it_changed(nginx: Nginx, path: str) -> None:
    name = f"{'packed' if 'packed' in path else 'plain'}.txt"
    nginx.write(name, LIST, modified=MOMENT)
    first = retrieve(nginx, path.format(name))
    assert body_of(first) == LIST
    assert retrieve(nginx, path.format(name), first) is None
    nginx.write(name, LIST + b"198.51.100.1\n", modified=MOMENT + 1)
    second = retrieve(nginx, path.format(name), first)
    assert body_of(second) == LIST + b"198.51.100.1\n"
    assert retrieve(nginx, path.format(name), second) is None


def test_nginx_weakens_the_etag_of_what_it_packs_and_confirms_it_all_the_same(
    nginx: Nginx,
) -> None:
    nginx.write("weak.txt", LIST, modified=MOMENT)
    first = retrieve(nginx, "/packed/weak.txt")
    assert first is not None
    version = Version.parse(first.version or "")
    assert version is not None
    assert version.etag.startswith('W/"')
    assert retrieve(nginx, "/packed/weak.txt", first) is None


def test_a_body_that_changed_under_the_same_date_and_size_waits_for_the_daily_whole_question(
    nginx: Nginx,
) -> None:
    nginx.write("frozen.txt", b"192.0.2.1\n", modified=MOMENT)
    first = retrieve(nginx, "/frozen.txt")
    nginx.write("frozen.txt", b"192.0.2.2\n", modified=MOMENT)
    assert retrieve(nginx, "/frozen.txt", first) is None
    assert body_of(retrieve(nginx, "/frozen.txt")) == b"192.0.2.2\n"


def test_redirects_missing_files_and_pages_are_told_apart(nginx: Nginx) -> None:
    nginx.write("list.txt", LIST, modified=MOMENT)
    assert body_of(retrieve(nginx, "/moved/")) == LIST
    with pytest.raises(NotFound):
        retrieve(nginx, "/none.txt")
    with pytest.raises(NotAList, match="“Welcome”"):
        retrieve(nginx, "/page/")
