"""Reading HTTP: whatever the pieces it comes in, a response is whole or it is an error."""

from __future__ import annotations

import pytest

from synth.teachers.response import Garbled, Response, ResponseReader

SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Id:  7 \r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n"
)
ANNOUNCED = b"HTTP/1.1 100 Continue\r\n\r\n" + SIZED


def by_bytes(reader: ResponseReader, data: bytes) -> Response | None:
    """Fed one byte at a time; the response has to come with the last."""
    *before, last = (reader.feed(data[i : i + 1]) for i in range(len(data)))
    assert not any(before)
    return last


@pytest.mark.parametrize("data", [SIZED, CHUNKED, ANNOUNCED], ids=["sized", "chunked", "announced"])
def test_a_response_is_the_same_in_one_piece_and_byte_by_byte(data: bytes) -> None:
    """Networks cut where they like; and the reader is ready for the next response."""
    reader = ResponseReader()
    for found in (reader.feed(data), by_bytes(reader, data), reader.feed(data)):
        assert found is not None
        assert (found.status, found.body, found.keep) == (200, b"hello", True)


def test_names_of_headers_are_in_lower_case() -> None:
    """Servers write Retry-After as they please."""
    found = ResponseReader().feed(SIZED)
    assert found is not None and found.headers == {"content-length": "5", "x-id": "7"}


def test_a_status_without_a_body_is_whole_at_once() -> None:
    """No content means none, and the connection goes on."""
    found = ResponseReader().feed(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert found is not None and (found.status, found.body, found.keep) == (204, b"", True)


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    """It is whole when the server closes, and never before."""
    reader = ResponseReader()
    assert reader.feed(b"HTTP/1.1 200 OK\r\n\r\nhel") is None
    assert reader.feed(b"lo") is None
    found = reader.end()
    assert found is not None and (found.body, found.keep) == (b"hello", False)


@pytest.mark.parametrize("data", [b"", SIZED[:-1], CHUNKED[:-1], SIZED[:20]])
def test_what_is_cut_off_is_no_response(data: bytes) -> None:
    """Half an answer must not pass for one."""
    reader = ResponseReader()
    assert reader.feed(data) is None
    assert reader.end() is None


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        SIZED + b"more",
    ],
    ids=["close", "old", "more than asked"],
)
def test_a_connection_that_ends_is_not_kept(data: bytes) -> None:
    """The next call would be lost on it."""
    found = ResponseReader().feed(data)
    assert found is not None and not found.keep


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"x" * 70_000,
    ],
)
def test_what_is_no_http_is_said_to_be_none(data: bytes) -> None:
    """Another protocol at that port is an error, not a hang."""
    with pytest.raises(Garbled):
        ResponseReader().feed(data)
