"""A desktop in the browser: TigerVNC's X server with IceWM, shown by noVNC, all of Debian; beside it the terminal.

The server listens on a socket in /tmp only, so the one way to it is through this program, which asks for the key.
"""

import asyncio
import os
import subprocess
import sys

import tornado.web
import tornado.websocket
from terminal import Guarded, serve

NOVNC = "/usr/share/novnc"
FOLDER = "/tmp/.dtaas"
SOCKET = f"{FOLDER}/vnc"
DISPLAY = ":1"
GEOMETRY = os.environ.get("VNC_RESOLUTION", "1280x800")  # until a browser says how large it is
READ_BYTES = 64 * 1024

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Desktop</title>
<script>
  const path = location.pathname.slice(1) + "socket";
  location.replace("vnc.html?autoconnect=true&resize=remote&reconnect=true&path=" + encodeURIComponent(path));
</script>
"""


class Page(Guarded, tornado.web.RequestHandler):
    def get(self):
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.write(PAGE)


class Assets(Guarded, tornado.web.StaticFileHandler):
    pass


class Socket(Guarded, tornado.websocket.WebSocketHandler):
    """Bytes of the VNC server's socket, both ways."""

    reader = writer = None

    def select_subprotocol(self, subprotocols):
        return "binary" if "binary" in subprotocols else None

    async def open(self, *_words, **_named):
        try:
            self.reader, self.writer = await asyncio.open_unix_connection(SOCKET)
        except OSError:
            self.close(1013, "the desktop does not answer yet")
            return
        asyncio.ensure_future(self.forward())

    async def forward(self):
        try:
            while data := await self.reader.read(READ_BYTES):
                await self.write_message(data, binary=True)
        except (OSError, tornado.websocket.WebSocketClosedError):
            pass
        self.close()

    async def on_message(self, message):
        if self.writer is None:
            return
        self.writer.write(message if isinstance(message, bytes) else message.encode())
        await self.writer.drain()

    def on_close(self):
        if self.writer is not None:
            self.writer.close()


def start_server():
    """The X server, and the window manager once it answers. Both end with this program, and it with them."""
    os.makedirs(FOLDER, mode=0o700, exist_ok=True)
    for left in (SOCKET, f"/tmp/.X{DISPLAY[1:]}-lock"):
        if os.path.exists(left):
            os.remove(left)
    ready, told = os.pipe()
    server = subprocess.Popen(
        ["Xtigervnc", DISPLAY, "-geometry", GEOMETRY, "-depth", "24", "-desktop", "DTaaS"]
        + ["-SecurityTypes", "None", "-rfbport", "-1", "-rfbunixpath", SOCKET, "-rfbunixmode", "0600"]
        + ["-nolisten", "tcp", "-AlwaysShared", "-displayfd", str(told)],
        pass_fds=[told],
    )
    os.close(told)
    with os.fdopen(ready) as line:
        if line.readline().strip() == "":
            sys.exit(f"the X server ended: exit code {server.wait()}")
    os.environ["DISPLAY"] = DISPLAY
    manager = subprocess.Popen(["icewm-session"])
    return [server, manager]


async def watch(processes):
    """A desktop without its server or its window manager is of no use: the session ends, and is begun again."""
    while all(process.poll() is None for process in processes):
        await asyncio.sleep(1)
    for process in processes:
        if process.poll() is None:
            process.terminate()
    sys.stderr.write("the desktop has ended\n")
    os._exit(1)


def main():
    processes = start_server()
    asyncio.get_event_loop().create_task(watch(processes))
    serve(
        "/desktop/",
        [
            (r"/desktop/", Page),
            (r"/desktop/socket", Socket),
            (r"/desktop/(.*)", Assets, {"path": NOVNC}),
        ],
    )


main()
