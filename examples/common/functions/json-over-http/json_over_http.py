"""Serve and fetch JSON over HTTP with the standard library."""

import json
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

MAX_BODY_BYTES = 64 * 1024


class Unreachable(Exception):
    """The other side did not answer with JSON in time."""


def serve(host, port, routes):
    """Answers in the background. `routes`: {"GET /state": function(body) -> (status, value)}. Returns the server."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 2  # seconds that a silent client may hold a thread

        def answer(self):
            length = int(self.headers.get("Content-Length") or 0)
            route = routes.get(f"{self.command} {self.path}")
            if route is None or length > MAX_BODY_BYTES:
                status, value = (404, {"error": "not here"}) if route is None else (413, {"error": "too large"})
            else:
                try:
                    status, value = route(json.loads(self.rfile.read(length) or b"null"))
                except ValueError as error:
                    status, value = 400, {"error": str(error)}
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = answer

        def log_message(self, *_):
            pass  # health checks would fill the log

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = False  # a program that ends still finishes its last answer
    Thread(target=server.serve_forever, daemon=True).start()
    return server


def fetch(url, method="GET", value=None, timeout=2.0):
    """The JSON answer; `Unreachable` for no answer, no JSON, or a status of 300 and above."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname, parts.port or 80, timeout=timeout)
    try:
        body = None if value is None else json.dumps(value)
        connection.request(method, parts.path or "/", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, HTTPException, ValueError) as error:
        raise Unreachable(f"{url}: {error}") from error
    finally:
        connection.close()
    if response.status >= 300:
        raise Unreachable(f"{url}: status {response.status}")
    return answer
