"""The client over TLS, with certificates of an authority made here: trusted, not trusted, by a proxy."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trustme

from synth.chat import Request
from synth.engine.tuning import run_loop
from synth.errors import EndpointError
from synth.records import Sampling
from synth.teachers.http import HttpEndpoint
from synth.teachers.pool import Pool, once
from tests.support.openai_server import ScriptedServer
from tests.support.wire import Connection

ASK = Request([{"role": "user", "content": "2+2?"}], Sampling(max_tokens=8))
AUTHORITY = trustme.CA()


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The authority is one that this process trusts."""
    AUTHORITY.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


def server(name: str = "127.0.0.1") -> ScriptedServer:
    """A teacher with a certificate for `name`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(name).configure_cert(context)
    return ScriptedServer(lambda messages, body: "4", tls=context, api_key="secret")


async def ask(endpoint: HttpEndpoint) -> str:
    [reply] = await endpoint.chat(ASK, "scripted", 1, 0, "name")
    return reply.text


@pytest.mark.parametrize("loop", [run_loop, asyncio.run], ids=["uvloop", "asyncio"])
def test_a_trusted_server_answers_over_one_kept_connection(
    loop: object, trusted: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handshake for every call would cost more than the call."""
    opened: list[Connection] = []
    made = Connection.connection_made

    def noted(self: Connection, transport: asyncio.BaseTransport) -> None:
        opened.append(self)
        made(self, transport)

    monkeypatch.setattr(Connection, "connection_made", noted)

    async def work() -> None:
        async with server() as running:
            endpoint = HttpEndpoint(running.base_url, api_key="secret")
            assert await endpoint.served() == ["scripted"]
            assert [await ask(endpoint) for _ in range(3)] == ["4"] * 3
            await endpoint.aclose()
        assert len(opened) == 1

    loop(work())  # type: ignore[operator]


@pytest.mark.parametrize("loop", [run_loop, asyncio.run], ids=["uvloop", "asyncio"])
def test_an_unknown_authority_is_one_error_with_a_cure(loop: object) -> None:
    """Nothing is tried again and no key leaves; what to set is said."""

    async def work() -> None:
        async with server() as running:
            endpoint = HttpEndpoint(running.base_url, api_key="secret")
            for asked in (endpoint.served(), ask(endpoint)):
                with pytest.raises(EndpointError, match="certificate is not trusted") as caught:
                    await asked
                assert running.base_url in caught.value.what
                assert "SSL_CERT_FILE" in caught.value.cure
            await endpoint.aclose()
        assert not running.log.entries

    loop(work())  # type: ignore[operator]


async def test_a_certificate_for_another_name_is_not_trusted(trusted: None) -> None:
    async with server("teacher.example") as running:
        endpoint = HttpEndpoint(running.base_url, api_key="secret")
        with pytest.raises(EndpointError, match=r"not trusted.*127\.0\.0\.1"):
            await ask(endpoint)
        await endpoint.aclose()


async def test_https_at_a_server_of_plain_http_is_said(trusted: None) -> None:
    """It is the commonest slip with addresses."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        writer.close()

    listener = await asyncio.start_server(handle, "127.0.0.1", 0)
    endpoint = HttpEndpoint(f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1")
    with pytest.raises(EndpointError, match="does not speak TLS"):
        await endpoint.served()
    await endpoint.aclose()
    listener.close()


async def test_a_server_without_trust_costs_a_pool_throughput_only() -> None:
    """The others answer, and what is wrong with it is told."""
    said: list[str] = []

    async def join(address: str) -> HttpEndpoint:
        return HttpEndpoint(address, retries=once)

    async with server() as barred, ScriptedServer(lambda messages, body: "4") as good:
        pool = Pool(lambda: [barred.base_url, good.base_url], join, HttpEndpoint.aclose, say=said.append)
        await pool.start("scripted")
        [reply] = await pool.chat(ASK, "scripted", 1, 0, "name")
        await pool.aclose()
    assert reply.text == "4"
    assert any("not trusted" in line and "SSL_CERT_FILE" in line for line in said)


@asynccontextmanager
async def proxy(
    target: int, answer: bytes = b"200 Connection established"
) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A proxy that connects whatever it is asked for to a port of this machine; what it was asked."""
    heads: list[bytes] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 " + answer + b"\r\nProxy-Agent: test\r\n\r\n")
        if answer.startswith(b"200"):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        writer.close()

    listener = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://me:pass@127.0.0.1:{listener.sockets[0].getsockname()[1]}", heads
    finally:
        listener.close()


@pytest.mark.parametrize("loop", [run_loop, asyncio.run], ids=["uvloop", "asyncio"])
def test_a_proxy_sees_the_name_and_nothing_else(
    loop: object, trusted: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTPS_PROXY is asked for a tunnel once; the certificate that counts is the server's."""

    async def work() -> None:
        async with server("teacher.example") as running, proxy(running.port) as (address, heads):
            monkeypatch.setenv("HTTPS_PROXY", address)
            endpoint = HttpEndpoint("https://teacher.example/v1", api_key="secret")
            assert [await ask(endpoint) for _ in range(2)] == ["4", "4"]
            await endpoint.aclose()
        [head] = heads
        assert head.startswith(b"CONNECT teacher.example:443 HTTP/1.1\r\n")
        assert b"Proxy-Authorization: Basic bWU6cGFzcw==" in head
        assert b"secret" not in head

    loop(work())  # type: ignore[operator]


async def test_a_proxy_that_refuses_is_named(trusted: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """And its own password is not."""
    async with proxy(0, b"407 Proxy Authentication Required") as (address, _):
        monkeypatch.setenv("HTTPS_PROXY", address)
        endpoint = HttpEndpoint("https://teacher.example/v1", api_key="secret")
        with pytest.raises(EndpointError, match=r"proxy http://127.*answers 407") as caught:
            await ask(endpoint)
        await endpoint.aclose()
    assert "pass" not in caught.value.what
    assert "NO_PROXY" in caught.value.cure


async def test_what_no_proxy_names_and_this_machine_are_asked_directly(
    trusted: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    async with server() as running:
        endpoint = HttpEndpoint(running.base_url, api_key="secret")
        assert await ask(endpoint) == "4"
        await endpoint.aclose()
    async with server("localhost.example") as running:
        monkeypatch.setenv("NO_PROXY", ".example")
        endpoint = HttpEndpoint("https://localhost.example/v1", timeout=1.0)
        assert endpoint._connections._route._proxy is None
        await endpoint.aclose()
