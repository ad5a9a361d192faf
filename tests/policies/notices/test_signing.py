"""Signatures that a receiver of another make accepts."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, strategies

from policies.notices.signing import key_of, new_secret, signatures


def test_signs_as_the_example_of_the_standard_has_it() -> None:
    """Worked out by hand with openssl: the id, a dot, the time, a dot, the body."""
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signatures(
        [key], message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )  # fmt: skip
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(strategies.binary(min_size=24, max_size=64), strategies.binary(max_size=200))
def test_each_secret_has_its_own_signature_in_the_header(key: bytes, body: bytes) -> None:
    other = key_of(new_secret())
    both = signatures([key, other], message_id="msg_1", timestamp=1, body=body).split(" ")
    assert both == [
        signatures([one], message_id="msg_1", timestamp=1, body=body) for one in (key, other)
    ]


def test_every_secret_is_another_and_long_enough() -> None:
    made = {new_secret() for _ in range(20)}
    assert len(made) == 20
    assert {len(key_of(secret)) for secret in made} == {32}


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!", base64.b64encode(b"k" * 32).decode()]
)
def test_what_is_no_secret_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_ and 24 to 64 bytes") as refused:
        key_of(secret)
    assert not secret.removeprefix("whsec_") or secret not in str(refused.value)
