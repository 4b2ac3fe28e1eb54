"""The viewer's server: on loopback alone, asked by pages of its own alone, and only to read."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from aiohttp import web

from synth.errors import RunError, ServerError
from synth.report.page import HERE as REPORT
from synth.view.search import Filters
from synth.view.view import View
from synth.view.watch import Watch

__all__ = ["serving"]

HERE = Path(__file__).parent
HOSTS = {"127.0.0.1", "localhost", "[::1]"}
FILES = {
    "report.css": (REPORT / "style.css", "text/css"),
    "view.css": (HERE / "view.css", "text/css"),
    "view.js": (HERE / "view.js", "text/javascript"),
    "icon.svg": (HERE / "icon.svg", "image/svg+xml"),
}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self';"
        " base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
MOST = 2**62
"""Greatest number of a record that is asked for."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(view: View, port: int = 0) -> AsyncIterator[str]:
    """The address the run is shown at, while this is open; port 0 takes a free one.

    Raises `ServerError` if the port is taken.
    """
    watch = Watch(view.index)
    runner = web.AppRunner(_App(view, watch).app(), access_log=None)
    await runner.setup()
    task = asyncio.create_task(watch.run())
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        try:
            await site.start()
        except OSError as error:
            raise ServerError(
                f"port {port} of this machine cannot be had: {error.strerror}",
                "name another --port, or leave it out so that a free one is taken",
            ) from error
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await runner.cleanup()
        view.index.close()


class _App:
    """The routes."""

    def __init__(self, view: View, watch: Watch) -> None:
        self.view = view
        self.watch = watch

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/", self.overview)
        app.router.add_get("/records", self.records)
        app.router.add_get("/record/{name}", self.record)
        app.router.add_get("/live", self.live)
        app.router.add_get(f"/{{file:{'|'.join(map(re.escape, FILES))}}}", self.file)
        return app

    async def overview(self, request: web.Request) -> web.Response:
        await self.watch.ready.wait()
        summary = self.watch.summary
        if summary is None:
            return self._page(self.view.error(self.watch.trouble), 500)
        return self._page(await asyncio.to_thread(self.view.overview, summary, "part" in request.query))

    async def records(self, request: web.Request) -> web.Response:
        query = request.query
        edges = _number(query.get("after")), _number(query.get("before"))
        made = (Filters.of(query), self.watch.records, edges, "part" in query, self._title)
        return self._page(await asyncio.to_thread(self.view.records, *made))

    async def record(self, request: web.Request) -> web.Response:
        name, filters = request.match_info["name"], Filters.of(request.query)
        page = await asyncio.to_thread(self.view.record, name, filters, self._title)
        return self._page(page) if page else self._missing()

    async def live(self, request: web.Request) -> web.Response:
        watch = self.watch
        return web.json_response(
            {
                "records": watch.records,
                "overview": watch.overview,
                "indexing": watch.indexing,
                "state": watch.summary.state if watch.summary else "",
                "trouble": watch.trouble,
            }
        )

    async def file(self, request: web.Request) -> web.Response:
        path, kind = FILES[request.match_info["file"]]
        return web.Response(body=path.read_bytes(), content_type=kind, charset="utf-8")

    @property
    def _title(self) -> str:
        return self.watch.summary.name if self.watch.summary else self.view.run.resolve().name

    def _missing(self) -> web.Response:
        return self._page(self.view.error("There is nothing at this address."), 404)

    def _page(self, text: str, status: int = 200) -> web.Response:
        return web.Response(text=text, content_type="text/html", status=status)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answers only who asked for this machine by name: another site that has its name point here
        (DNS rebinding) is told nothing. Nothing can be changed, so only reading is allowed."""
        response: web.StreamResponse
        if request.host.rpartition(":")[0] not in HOSTS and request.host not in HOSTS:
            response = web.Response(
                text="This server answers under 127.0.0.1 and localhost alone.", status=403
            )
        elif request.method not in ("GET", "HEAD"):
            response = web.Response(
                text="This server can only be read.", status=405, headers={"Allow": "GET"}
            )
        else:
            try:
                response = await handler(request)
            except web.HTTPNotFound:
                response = self._missing()
            except (RunError, sqlite3.Error) as error:
                response = self._page(self.view.error(str(error)), 500)
        response.headers.update(HEADERS)
        return response


def _number(text: str | None) -> int:
    """The number of a record; 0 for what is none."""
    return min(int(text), MOST) if text and text.isascii() and text.isdigit() else 0
