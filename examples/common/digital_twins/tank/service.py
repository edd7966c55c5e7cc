#!/usr/bin/env python3
"""One tank as an HTTP service: takes its inflow from a source or from the tank before it (see README.md)."""

import json
import math
import os
import sys
import time
import uuid
from pathlib import Path

COMMON = Path(__file__).absolute().parents[2]  # as it was called: links of the view are not followed
for asset in ("models/water-tank", "functions/json-over-http"):
    sys.path.insert(0, str(COMMON / asset))

from json_over_http import Unreachable, fetch, serve
from tank import Tank

NAME = os.environ.get("DT_NAME", "tank")
PORT = int(os.environ.get("PORT", "8000"))
UPSTREAM = os.environ.get("UPSTREAM")
INFLOW = float(os.environ.get("INFLOW", "0"))  # m3/s
AREA = float(os.environ.get("AREA", "1"))  # m2
OUTLET = float(os.environ.get("OUTLET", "0.01"))  # m2
LEVEL = float(os.environ.get("LEVEL", "0"))  # m
PIPE = float(os.environ.get("PIPE_SECONDS", "30"))  # simulated; how long water stays in the pipe to us on average
TIME_SCALE = float(os.environ.get("TIME_SCALE", "10"))  # simulated seconds per second
STEP = float(os.environ.get("STEP_SECONDS", "1"))  # real seconds between two steps, about
STALE_AFTER = max(30.0, 5 * STEP)  # s without a step: not healthy; a name that is gone may take long to look up
MAX_STEP = 30.0  # real seconds; time in which nobody was there, as after a pause, is not made up for
LOG_EVERY = 30  # steps
STATE_FILE = COMMON.parent / "data" / NAME / "state.json"  # in /workspace, kept as long as the twin's layer


def restore():
    """The state before the last kill, or a new filling with an identity of its own."""
    try:
        return json.loads(STATE_FILE.read_text())
    except (FileNotFoundError, ValueError):
        fresh = {"filling": uuid.uuid4().hex, "time": 0.0, "level": LEVEL, "start": LEVEL}
        return {**fresh, "volumeIn": 0.0, "volumeOut": 0.0, "pipe": 0.0, "upstream": None}


def keep(state):
    temporary = STATE_FILE.with_suffix(".tmp")
    temporary.write_text(json.dumps(state))
    temporary.replace(STATE_FILE)


def take(upstream):
    """Cubic metres that have arrived since we last asked, and what to remember of the tank before us."""
    answer = fetch(f"{UPSTREAM}/state")
    now = {"filling": answer["filling"], "volume": answer["volumeOut"]}
    if upstream is None or upstream["filling"] != now["filling"]:
        # Another tank stands there, or we are new ourselves: what it let out before flowed elsewhere.
        return 0.0, now
    return now["volume"] - upstream["volume"], now


def step(state, h):
    """The state h simulated seconds later. While the tank before us does not answer, nothing arrives; it comes later.

    The pipe is a linear reservoir, dV/dt = -V / PIPE: it evens out that water arrives in portions.
    """
    inflow, pipe, upstream = INFLOW, state["pipe"], state["upstream"]
    if UPSTREAM:
        try:
            arrived, upstream = take(upstream)
            pipe += arrived
        except Unreachable as error:
            print(f"{NAME}: {error}", flush=True)
        inflow = pipe * (1 - math.exp(-h / PIPE)) / h
        pipe -= inflow * h
    tank = Tank(AREA, state["level"])
    count = int(h) + 1
    for _ in range(count):
        tank.advance(h / count, inflow, {"outlet": OUTLET})
    return {
        **state,
        "time": state["time"] + h,
        "level": tank.level,
        "volumeIn": state["volumeIn"] + tank.volume_in,
        "volumeOut": state["volumeOut"] + tank.volume_out["outlet"],
        "pipe": pipe,
        "upstream": upstream,
    }


def main():
    STATE_FILE.parent.mkdir(parents=True, exist_ok=True)
    shown = restore()
    keep(shown)
    stepped_at = time.monotonic()

    def state(_body):
        return 200, {"tank": NAME, "area": AREA, **shown}

    def health(_body):
        fresh = time.monotonic() - stepped_at < STALE_AFTER
        return (200, {"status": "ok"}) if fresh else (503, {"status": "it has stopped stepping"})

    serve("0.0.0.0", PORT, {"GET /state": state, "GET /healthz": health})
    print(f"{NAME}: on port {PORT}, level {shown['level']:.3f} m", flush=True)
    count = 0
    # No stop signal is handled: there is nothing to tidy up, all state is on disk.
    while True:
        time.sleep(STEP)
        # By the clock, not by the count: all tanks must agree on how fast time goes.
        now = time.monotonic()
        after = step(shown, min(now - stepped_at, MAX_STEP) * TIME_SCALE)
        keep(after)  # before it is shown: nobody may have seen water that a kill takes back
        shown, stepped_at = after, now
        if count % LOG_EVERY == 0:
            print(f"{NAME}: {shown['time']:8.0f} s  level {shown['level']:.3f} m", flush=True)
        count += 1


if __name__ == "__main__":
    main()
