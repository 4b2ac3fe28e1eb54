"""Reading one HTTP/1.1 response after another out of the bytes of a connection; no I/O here."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Garbled", "Response", "ResponseReader"]

_MOST_HEAD = 64 * 1024


class Garbled(ConnectionError):
    """What came is no HTTP response."""


@dataclass(frozen=True, slots=True)
class Response:
    """Status, headers (names in lower case) and body; `keep` says that the connection may be used again."""

    status: int
    headers: dict[str, str]
    body: bytes
    keep: bool


class ResponseReader:
    """Fed with what arrives, in whatever pieces; gives a response when it is whole."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._buffer = bytearray()
        self._status = 0
        self._headers: dict[str, str] | None = None
        self._keep = True
        self._length: int | None = None
        """Bytes of the body; None where it is in chunks or ends with the connection."""
        self._chunks: list[bytes] | None = None

    def feed(self, data: bytes) -> Response | None:
        """The response, once its last byte is here. Raises `Garbled`."""
        self._buffer += data
        while self._headers is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > _MOST_HEAD:
                    raise Garbled("the response's head does not end")
                return None
            self._read_head(bytes(self._buffer[:end]))
            del self._buffer[: end + 4]
        if self._chunks is not None:
            return self._read_chunks(self._chunks)
        if self._length is None or len(self._buffer) < self._length:
            return None
        return self._whole(self._length)

    def end(self) -> Response | None:
        """The connection closed in order: a body without a length is whole with that."""
        if self._headers is None or self._length is not None or self._chunks is not None:
            return None
        self._keep = False
        return self._whole(len(self._buffer))

    def _read_head(self, head: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        if version not in ("HTTP/1.1", "HTTP/1.0") or not rest[:3].isdigit():
            raise Garbled(f"no HTTP response begins with {first[:80]!r}")
        status = int(rest[:3])
        if 100 <= status < 200:  # an announcement; the response is still to come
            return
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        self._status, self._headers = status, headers
        self._keep = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        self._frame(status, headers)

    def _frame(self, status: int, headers: dict[str, str]) -> None:
        """How the end of the body is told."""
        length = headers.get("content-length")
        if status in (204, 304):
            self._length = 0
        elif headers.get("transfer-encoding", "").lower().endswith("chunked"):
            self._chunks = []
        elif length is not None:
            if not length.isdigit():
                raise Garbled(f"Content-Length is {length[:40]!r}")
            self._length = int(length)

    def _read_chunks(self, chunks: list[bytes]) -> Response | None:
        """Take the chunks that are whole; the one of no bytes, and the lines after it, are the end."""
        buffer = self._buffer
        while (end := buffer.find(b"\r\n")) >= 0:
            size = self._size(bytes(buffer[:end]))
            if not size:
                trailer = buffer.find(b"\r\n\r\n", end)
                if trailer < 0:
                    return None
                body = b"".join(chunks)
                buffer[: trailer + 4] = body
                return self._whole(len(body))
            start = end + 2
            if len(buffer) < start + size + 2:
                return None
            chunks.append(bytes(buffer[start : start + size]))
            del buffer[: start + size + 2]
        return None

    @staticmethod
    def _size(line: bytes) -> int:
        digits = line.partition(b";")[0].strip()
        if not digits.isalnum():
            raise Garbled(f"a chunk begins with {line[:40]!r}")
        try:
            return int(digits, 16)
        except ValueError:
            raise Garbled(f"a chunk begins with {line[:40]!r}") from None

    def _whole(self, length: int) -> Response:
        """Hand the response out, and be ready for the next."""
        assert self._headers is not None
        body = bytes(self._buffer[:length])
        keep = self._keep and len(self._buffer) == length
        response = Response(self._status, self._headers, body, keep)
        self._begin()
        return response
