"""The way to one server: plain or TLS, directly or through the proxy that the environment names.

Certificates are checked against the system's, or those in the file that SSL_CERT_FILE names. An https
address is reached through HTTPS_PROXY (by CONNECT) unless NO_PROXY holds its host or the host is this
machine; an http address always directly, since such model servers are near.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

from yarl import URL

__all__ = ["Barred", "Route", "Unreachable"]

Protocol = TypeVar("Protocol", bound=asyncio.Protocol)
_MOST_HEAD = 64 * 1024
_NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
"""What OpenSSL says of an answer that is no TLS."""


class Unreachable(ConnectionError):
    """Nobody takes connections at that address."""


class Barred(Unreachable):
    """No connection until someone mends what `cure` says: trying again is of no use."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(what)
        self.cure = cure


class Route:
    """Opens connections to the server of `origin`."""

    def __init__(self, origin: URL) -> None:
        self._host, self._port = origin.raw_host or "", origin.port or 80
        self._tls = ssl.create_default_context() if origin.scheme == "https" else None
        self._proxy = _proxy_of(self._host) if self._tls is not None else None

    async def connect(self, make: Callable[[], Protocol], seconds: float) -> Protocol:
        """A connection with a protocol of `make`, within `seconds`. Raises `Unreachable`, `Barred`."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                if self._proxy is None:
                    opened = await loop.create_connection(make, self._host, self._port, ssl=self._tls)
                else:
                    tunnel = await _tunnel(self._proxy, f"{self._host}:{self._port}")
                    opened = await loop.create_connection(
                        make, sock=tunnel, ssl=self._tls, server_hostname=self._host
                    )
                return opened[1]
        except TimeoutError as error:
            raise Unreachable(f"no connection within {seconds:g} s") from error
        except Unreachable:
            raise
        except ssl.SSLCertVerificationError as error:
            raise Barred(
                f"its certificate is not trusted: {error.verify_message}",
                "set SSL_CERT_FILE to a file with the certificate that signed it, and use the name it is for",
            ) from error
        except OSError as error:
            if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
                raise Barred("it does not speak TLS", "write http:// instead of https://") from error
            raise Unreachable(str(error)) from error


def _proxy_of(host: str) -> URL | None:
    """The proxy on the way to an https host. Raises nothing: a wrong one is told of when it is used."""
    # Lazy: it loads half of the standard library's network modules.
    from urllib.request import getproxies_environment, proxy_bypass

    named = getproxies_environment()
    if "https" not in named or _is_here(host) or proxy_bypass(host):
        return None
    return URL(named["https"] if "://" in named["https"] else f"http://{named['https']}")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _tunnel(proxy: URL, target: str) -> socket.socket:
    """A socket that a proxy has connected to `target`. Raises `Barred` where the proxy refuses."""
    said = f"the proxy {proxy.with_user(None)} (HTTPS_PROXY)"
    cure = "correct HTTPS_PROXY, or name the host in NO_PROXY"
    if proxy.scheme != "http" or not proxy.host or not proxy.port:
        raise Barred(f"{said} is not of the kind http://host:port", cure)
    loop = asyncio.get_running_loop()
    request = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
    if proxy.user is not None:
        key = base64.b64encode(f"{proxy.user}:{proxy.password or ''}".encode()).decode()
        request += f"Proxy-Authorization: Basic {key}\r\n"
    try:
        [(family, kind, _, _, address), *_] = await loop.getaddrinfo(
            proxy.host, proxy.port, type=socket.SOCK_STREAM
        )
    except OSError as error:
        raise Barred(f"{said} has no address: {error}", cure) from error
    tunnel = socket.socket(family, kind)
    try:
        tunnel.setblocking(False)
        await loop.sock_connect(tunnel, address)
        await loop.sock_sendall(tunnel, f"{request}\r\n".encode())
        status = await _status(loop, tunnel)
        if status != "200":
            raise Barred(f"{said} answers {status or 'nothing'}", cure)
        return tunnel
    except BaseException as error:
        tunnel.close()
        if isinstance(error, OSError) and not isinstance(error, Unreachable | TimeoutError):
            raise Unreachable(f"{said} does not answer: {error}") from error
        raise


async def _status(loop: asyncio.AbstractEventLoop, tunnel: socket.socket) -> str:
    """The status in a proxy's answer to CONNECT; nothing follows its head until something is sent."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _MOST_HEAD:
        piece = await loop.sock_recv(tunnel, 4096)
        if not piece:
            break
        head += piece
    return (head.split(maxsplit=2)[1:2] or [b""])[0].decode("latin-1")
