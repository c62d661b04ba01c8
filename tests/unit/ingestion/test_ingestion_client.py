"""The socket: what is retried, how long it waits, what is refused, and that nothing secret is said."""

from __future__ import annotations

import pytest
from fake_vendor import Reply

from ingestion.client import LONGEST_RETRY_AFTER, MAX_TRIES, Call
from ingestion.errors import ContractBroken, RequestRejected, SourceUnavailable

PING = Call("/ping")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 529])
def test_a_passing_status_is_tried_again(vendor, client, status):
    vendor.routes["/ping"] = [Reply({}, status), Reply({"ok": 1})]
    assert client.send(PING).content == b'{"ok": 1}'
    assert client.requests == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refusal_is_not_tried_again(vendor, client, waits, status):
    vendor.routes["/ping"] = Reply({"error": {"type": "authentication_error", "message": "key sk-secret-1"}}, status)
    with pytest.raises(RequestRejected) as refused:
        client.send(PING, "here")
    assert len(vendor.asked) == 1 and not waits
    text = str(refused.value)
    assert f"HTTP {status} (authentication_error)" in text and "here: GET" in text and "to do: check" in text
    assert "sk-secret-1" not in text


def test_an_endpoint_that_is_gone_breaks_the_contract(vendor, client):
    vendor.routes["/ping"] = Reply({}, 410)
    with pytest.raises(ContractBroken, match="HTTP 410"):
        client.send(PING)


def test_retry_after_in_seconds_is_honoured_almost_exactly(vendor, client, waits):
    vendor.routes["/ping"] = [Reply({}, 429, {"Retry-After": "7"}), Reply({})]
    client.send(PING)
    assert waits == [7.25]


def test_retry_after_as_a_date_is_honoured(vendor, client, waits):
    vendor.routes["/ping"] = [Reply({}, 503, {"Retry-After": "Fri, 20 Nov 2026 06:00:30 GMT"}), Reply({})]
    client.send(PING)
    assert waits == [30.25]


def test_without_retry_after_the_wait_doubles_up_to_a_minute(vendor, client, waits):
    vendor.routes["/ping"] = Reply({}, 500)
    with pytest.raises(SourceUnavailable, match="HTTP 500"):
        client.send(PING)
    assert len(vendor.asked) == MAX_TRIES
    assert waits == [2, 4, 8, 16, 32, 60, 60]


def test_a_vendor_that_asks_for_hours_is_reported_instead_of_waited_for(vendor, client, waits):
    vendor.routes["/ping"] = Reply({}, 429, {"Retry-After": str(int(LONGEST_RETRY_AFTER) + 1)})
    with pytest.raises(SourceUnavailable, match="asking to wait 901 s"):
        client.send(PING)
    assert not waits


def test_a_forbidden_answer_with_a_used_up_limit_waits_for_its_reset(vendor, client, waits):
    reset = str(1795154400 + 40)  # 40 s after the standing clock
    limit = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
    vendor.routes["/ping"] = [Reply({}, 403, limit), Reply({})]
    client.send(PING)
    assert waits == [40.25]


def test_a_cut_answer_is_tried_again(vendor, client):
    vendor.routes["/ping"] = [Reply({"a": "x" * 500}, cut=20), Reply({"a": 1})]
    assert client.send(PING).content == b'{"a": 1}'


def test_a_slow_answer_is_given_up_and_tried_again(vendor, connect):
    import time

    def slow(request):
        if len(vendor.asked) == 1:
            time.sleep(0.4)
        return {"ok": 1}

    vendor.routes["/ping"] = slow
    client = connect(read_timeout=0.1)
    assert client.send(PING).content == b'{"ok": 1}'
    assert client.requests == 2


def test_nobody_listening_is_unavailable(connect, vendor):
    client = connect(tries=2)
    client.base_url = "http://127.0.0.1:9"
    with pytest.raises(SourceUnavailable, match="no complete answer"):
        client.send(PING)


def test_secrets_are_in_no_message_and_no_repr(vendor, connect):
    client = connect(secrets=("s3cr3t-value",), headers={"x-api-key": "s3cr3t-value"})
    vendor.routes["/ping"] = Reply({}, 400)
    with pytest.raises(RequestRejected) as refused:
        client.send(Call("/ping", (("q", "s3cr3t-value"), ("access_token", "other"), ("page", "abc"))))
    assert "s3cr3t-value" not in str(refused.value) and "other" not in str(refused.value)
    assert "page=abc" in str(refused.value)
    assert "s3cr3t-value" not in repr(client)
    assert vendor.asked[0].headers["x-api-key"] == "s3cr3t-value"


def test_a_moved_resource_on_the_same_origin_is_followed(vendor, client):
    vendor.routes["/ping"] = Reply({}, 301, {"Location": "/pong"})
    vendor.routes["/pong"] = {"moved": True}
    assert b"moved" in client.send(PING).content


def test_credentials_never_follow_a_link_to_another_origin(vendor, client):
    vendor.routes["/ping"] = Reply({}, 302, {"Location": "http://127.0.0.2:1/x"})
    with pytest.raises(ContractBroken, match="another origin"):
        client.send(PING)
    with pytest.raises(ContractBroken, match="another origin"):
        client.send(Call("http://127.0.0.2:1/x"))


def test_the_user_agent_says_who_asks(vendor, client):
    vendor.routes["/ping"] = {}
    client.send(PING)
    assert vendor.asked[0].headers["user-agent"].startswith("ai-spend-ledger/")
