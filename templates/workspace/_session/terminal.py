"""A terminal in the browser: terminado, the part of Jupyter that serves its terminals, with xterm.js of Debian."""

import hmac
import os

import tornado.ioloop
import tornado.web
from terminado import TermSocket, UniqueTermManager

ASSETS = "/usr/share/javascript/xterm"
PORT = 7681
MAX_TERMINALS = 20  # tabs of one person

with open("/run/dtaas/tool-key", encoding="ascii") as file:
    EXPECTED = f"token {file.read().strip()}"

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Terminal</title>
<link rel="stylesheet" href="assets/xterm.css">
<style>html, body, #terminal { height: 100%; margin: 0; background: #000; }</style>
<div id="terminal"></div>
<script src="assets/xterm.js"></script>
<script src="assets/addons/fit/fit.js"></script>
<script>
  Terminal.applyAddon(fit);
  const terminal = new Terminal({ cursorBlink: true });
  terminal.open(document.getElementById("terminal"));
  const address = new URL("socket", location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(address);
  const send = (...words) => socket.readyState === 1 && socket.send(JSON.stringify(words));
  const resize = () => { terminal.fit(); send("set_size", terminal.rows, terminal.cols); };
  socket.onopen = resize;
  socket.onmessage = ({ data }) => {
    const [kind, text] = JSON.parse(data);
    if (kind === "stdout") terminal.write(text);
    if (kind === "disconnect") terminal.write("\\r\\n[ended; reload for a new terminal]\\r\\n");
  };
  socket.onclose = () => terminal.write("\\r\\n[connection closed; reload to go on]\\r\\n");
  terminal.on("data", (text) => send("stdin", text));
  addEventListener("resize", resize);
  terminal.focus();
</script>
"""


class Guarded:
    """Only who knows the key: the platform's own proxy, which lets in whom it has let in."""

    def prepare(self):
        given = self.request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), EXPECTED.encode()):
            raise tornado.web.HTTPError(401)


class Page(Guarded, tornado.web.RequestHandler):
    def get(self):
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.write(PAGE)


class Assets(Guarded, tornado.web.StaticFileHandler):
    pass


class Socket(Guarded, TermSocket):
    pass


def serve(first, more=()):
    """Serves the terminal and further handlers for ever; `first`: where whoever asks for no path is sent."""
    terminals = UniqueTermManager(
        shell_command=[os.environ.get("SHELL", "/bin/bash"), "-l"],
        max_terminals=MAX_TERMINALS,
        extra_env={"TERM": "xterm-256color"},
    )
    application = tornado.web.Application(
        [
            (r"/", tornado.web.RedirectHandler, {"url": first, "permanent": False}),
            (r"/terminal/", Page),
            (r"/terminal/assets/(.*)", Assets, {"path": ASSETS}),
            (r"/terminal/socket", Socket, {"term_manager": terminals}),
            *more,
        ],
        websocket_ping_interval=30,
    )
    application.listen(PORT, "0.0.0.0")
    try:
        tornado.ioloop.IOLoop.current().start()
    finally:
        terminals.shutdown()


if __name__ == "__main__":
    serve("/terminal/")
