"""Paging: every style to its end, and every way in which a walk cannot be trusted."""

from __future__ import annotations

import msgspec
import pytest
from fake_vendor import Reply

from ingestion.client import Call
from ingestion.errors import ContractBroken
from ingestion.gateways.litellm import Page as NumberedPage
from ingestion.pages import (
    ArrayPage,
    CursorPages,
    LinkPages,
    NextTokenPages,
    NumberedPages,
    OffsetPages,
    TokenPages,
    walk,
)
from ingestion.providers.anthropic import ListPage, Page
from ingestion.trackers.jira import SearchPage, ValuesPage

CALL = Call("/list")


def read(client, style, envelope, call=CALL, **options):
    pages = walk(client, call, style, envelope, "test list", **options)
    return [x for page in pages for x in msgspec.json.decode(page.records())]


def test_token_pages_send_the_token_back_and_keep_the_question(vendor, client):
    answers = {None: ([1, 2], "t1"), "t1": ([3], "t2"), "t2": ([4], None)}

    def page(request):
        data, token = answers[request.get("page")]
        return {"data": data, "has_more": token is not None, "next_page": token}

    vendor.routes["/list"] = page
    call = Call("/list", (("group_by[]", "a"), ("group_by[]", "b")))
    assert read(client, TokenPages(), Page, call) == [1, 2, 3, 4]
    assert all(request.all("group_by[]") == ["a", "b"] for request in vendor.asked)


def test_cursor_pages_go_on_after_the_last_id(vendor, client):
    def page(request):
        start = int(request.get("after_id") or 0)
        return {"data": [start + 1], "has_more": start < 2, "last_id": str(start + 1)}

    vendor.routes["/list"] = page
    assert read(client, CursorPages("after_id"), ListPage) == [1, 2, 3]


def test_link_pages_follow_the_next_link_only(vendor, client):
    def page(request):
        number = int(request.get("page") or 1)
        link = f'<{vendor.url}/list?page=9>; rel="last", <{vendor.url}/list?page={number + 1}>; rel="next"'
        return Reply([number], headers={"Link": link} if number < 3 else {"Link": f'<{vendor.url}/list>; rel="first"'})

    vendor.routes["/list"] = page
    assert read(client, LinkPages(), ArrayPage) == [1, 2, 3]


@pytest.mark.parametrize("in_body", [True, False])
def test_next_token_pages_may_be_empty_and_short(vendor, client, in_body):
    answers = {None: ([1], "a", False), "a": ([], "b", False), "b": ([2], None, True)}

    def page(request):
        issues, token, last = answers[request.body.get("nextPageToken") if in_body else request.get("nextPageToken")]
        return {"issues": issues, "isLast": last} | ({"nextPageToken": token} if token else {})

    vendor.routes["/list"] = page
    call = Call("/list", (), {"jql": "x"}, "POST") if in_body else CALL
    assert read(client, NextTokenPages(in_body), SearchPage, call) == [1, 2]


def test_numbered_pages_end_at_the_total(vendor, client):
    vendor.routes["/list"] = lambda r: {"data": [int(r.get("page"))], "page": int(r.get("page")), "total_pages": 3}
    assert read(client, NumberedPages(), NumberedPage, Call("/list", (("page", "1"),))) == [1, 2, 3]


def test_numbered_pages_of_an_empty_log_end_at_once(vendor, client):
    vendor.routes["/list"] = {"data": [], "page": 1, "total_pages": 0}
    assert read(client, NumberedPages(), NumberedPage, Call("/list", (("page", "1"),))) == []


def test_offset_pages_count_what_came(vendor, client):
    def page(request):
        start = int(request.get("startAt") or 0)
        return {"values": [start, start + 1], "isLast": start >= 4}

    vendor.routes["/list"] = page
    assert read(client, OffsetPages(), ValuesPage) == [0, 1, 2, 3, 4, 5]


def test_the_same_records_twice_in_a_row_break_the_contract(vendor, client):
    tokens = iter(["a", "b", "c"])
    vendor.routes["/list"] = lambda r: {"data": [1, 2], "has_more": True, "next_page": next(tokens)}
    with pytest.raises(ContractBroken, match="page 2 repeats the records of page 1"):
        read(client, TokenPages(), Page)


def test_a_cursor_seen_before_breaks_the_contract(vendor, client):
    answers = [([1], "a"), ([2], "b"), ([3], "a")]
    vendor.routes["/list"] = lambda r: dict(
        zip(("data", "next_page", "has_more"), (*answers[len(vendor.asked) - 1], True), strict=True)
    )
    with pytest.raises(ContractBroken, match="points back"):
        read(client, TokenPages(), Page)


@pytest.mark.parametrize("token", [None, ""])
def test_more_without_a_cursor_breaks_the_contract(vendor, client, token):
    vendor.routes["/list"] = {"data": [1], "has_more": True, "next_page": token}
    with pytest.raises(ContractBroken, match="gives no cursor"):
        read(client, TokenPages(), Page)


def test_another_page_number_than_asked_breaks_the_contract(vendor, client):
    vendor.routes["/list"] = {"data": [1], "page": 2, "total_pages": 3}
    with pytest.raises(ContractBroken, match="page 1 was asked for, page 2 came"):
        read(client, NumberedPages(), NumberedPage, Call("/list", (("page", "1"),)))


def test_a_walk_without_end_stops_at_the_ceiling(vendor, client):
    vendor.routes["/list"] = lambda r: {"data": [len(vendor.asked)], "has_more": True, "next_page": str(len(vendor.asked))}
    with pytest.raises(ContractBroken, match="more than 5 pages"):
        read(client, TokenPages(), Page, ceiling=5)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"data": [1', b"[]", b'{"has_more": false}', b'{"data": [], "has_more": "no"}'])
def test_what_is_not_the_envelope_breaks_the_contract(vendor, client, body):
    vendor.routes["/list"] = Reply(body)
    with pytest.raises(ContractBroken, match="not the documented page"):
        read(client, TokenPages(), Page)


def test_a_next_link_to_another_origin_is_not_followed(vendor, client):
    vendor.routes["/list"] = Reply([1], headers={"Link": '<http://127.0.0.2:1/list?page=2>; rel="next"'})
    with pytest.raises(ContractBroken, match="another origin"):
        read(client, LinkPages(), ArrayPage)
