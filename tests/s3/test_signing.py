"""Signatures, by the service's published examples and by botocore's signer."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from remote_store_s3._credentials import Keys
from remote_store_s3._place import quoted_key
from remote_store_s3._signing import UNSIGNED, Signer

#: Of the examples in "Authenticating Requests: Using the Authorization Header".
_KEY = "AKIAIOSFODNN7EXAMPLE"
_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
_HOST = "examplebucket.s3.amazonaws.com"
_TIME = datetime(2013, 5, 24, tzinfo=UTC)
_NOTHING = hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "digest", "signature"),
    [
        (
            *("GET", "/test.txt", "", {"range": "bytes=0-9"}, _NOTHING),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            *("PUT", "/test%24file.text", ""),
            {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
            hashlib.sha256(b"Welcome to Amazon S3.").hexdigest(),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            *("GET", "/", "lifecycle=", {}, _NOTHING),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            *("GET", "/", "max-keys=2&prefix=J", {}, _NOTHING),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_published_examples(
    method: str, path: str, query: str, headers: dict[str, str], digest: str, signature: str
) -> None:
    """The four requests that the documentation signs step by step."""
    sent = {"host": _HOST, **headers}
    Signer(Keys(_KEY, _SECRET), "us-east-1").sign(method, path, query, sent, digest, _TIME)

    assert sent["authorization"].endswith(f"Signature={signature}")


_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
_VALUE = st.from_regex(r"([!-~]([ -~]{0,20}[!-~])?)?", fullmatch=True)
_NAME = st.from_regex(r"x-amz-meta-[a-z0-9_-]{1,12}", fullmatch=True)


@settings(max_examples=100, deadline=None)
@given(
    method=st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE"]),
    key=_TEXT,
    query=st.dictionaries(_TEXT, _TEXT, max_size=4),
    headers=st.dictionaries(_NAME, _VALUE, max_size=4),
    token=st.none() | st.just("a/temporary+token=="),
    digest=st.sampled_from([UNSIGNED, _NOTHING]),
)
def test_same_as_botocore(
    method: str,
    key: str,
    query: dict[str, str],
    headers: dict[str, str],
    token: str | None,
    digest: str,
) -> None:
    """Any request that the wire can make is signed as AWS's own client signs it."""
    path = "/bucket/" + quoted_key(key)
    pairs = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in query.items())
    line = "&".join(f"{name}={value}" for name, value in pairs)
    ours = {"host": "s3.example.org:9000", **headers}
    Signer(Keys(_KEY, _SECRET, token), "eu-west-1").sign(method, path, line, ours, digest, _TIME)

    url = f"http://s3.example.org:9000{path}" + (f"?{line}" if line else "")
    sent = {name: value for name, value in ours.items() if name not in ("host", "authorization")}
    request = AWSRequest(method, url, sent)
    request.context["timestamp"] = ours["x-amz-date"]
    auth = S3SigV4Auth(Credentials(_KEY, _SECRET, token), "s3", "eu-west-1")
    text = auth.string_to_sign(request, auth.canonical_request(request))
    assert ours["authorization"].endswith(f"Signature={auth.signature(text, request)}")


def test_the_key_follows_the_day() -> None:
    """A signer that lives over midnight signs as a new one does."""
    long_lived = Signer(Keys(_KEY, _SECRET), "us-east-1")
    for day in (24, 25):
        time = _TIME.replace(day=day)
        one, other = {"host": _HOST}, {"host": _HOST}
        long_lived.sign("GET", "/", "", one, _NOTHING, time)
        Signer(Keys(_KEY, _SECRET), "us-east-1").sign("GET", "/", "", other, _NOTHING, time)
        assert one == other
