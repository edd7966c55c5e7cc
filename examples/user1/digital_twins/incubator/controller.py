#!/usr/bin/env python3
"""Keeps the air between LOWER and UPPER degrees by switching the heater; says how it is on PORT."""

import os
import signal
import sys
import time
from pathlib import Path
from threading import Event

WORKSPACE = Path(__file__).resolve().parents[2]
for asset in ("functions/hysteresis", "functions/json-over-http"):
    sys.path.insert(0, str(WORKSPACE / "common" / asset))

from hysteresis import Hysteresis
from json_over_http import Unreachable, fetch, serve

PORT = int(os.environ.get("PORT", "8000"))
PLANT = f"http://127.0.0.1:{os.environ.get('PLANT_PORT', '8001')}"
LOWER = float(os.environ.get("LOWER", "34"))
UPPER = float(os.environ.get("UPPER", "36"))
STEP = float(os.environ.get("STEP_SECONDS", "1"))  # real seconds between two decisions
STOPPED = 128 + signal.SIGTERM  # exit code: stopped by a signal, as opposed to ended by `terminate`
STALE_AFTER = 5.0  # s without a reading: not healthy
LOG_EVERY = 10  # decisions


class Controller:
    def __init__(self):
        self.switch = Hysteresis(LOWER, UPPER, on_when="low")
        self.reading = None
        self.read_at = None
        self.decisions = 0
        self.switched = 0

    def decide(self):
        """One reading and one command. A plant that does not answer is tried again next time."""
        before = self.switch.on
        reading = fetch(f"{PLANT}/")
        on = self.switch.decide(reading["air"])
        self.reading = fetch(f"{PLANT}/heater", "PUT", {"on": on})
        self.read_at = time.monotonic()
        self.decisions += 1
        if on != before:
            self.switched += 1
        if on != before or self.decisions % LOG_EVERY == 1:
            heater = "on " if on else "off"
            print(f"{reading['time']:8.0f} s  air {reading['air']:6.2f} degC  heater {heater}", flush=True)

    def healthy(self):
        return self.read_at is not None and time.monotonic() - self.read_at < STALE_AFTER

    def health(self, _body):
        if self.healthy():
            return 200, {"status": "ok"}
        return 503, {"status": "the plant does not answer"}

    def state(self, _body):
        return 200, {
            "twin": os.environ.get("DT_NAME", "incubator"),
            "revision": os.environ.get("DT_REVISION", ""),
            "run": os.environ.get("DT_RUN_ID", ""),
            "lower": LOWER,
            "upper": UPPER,
            "decisions": self.decisions,
            "switched": self.switched,
            "reading": self.reading,
        }


def main():
    ended, exit_code = Event(), 0
    controller = Controller()

    def on_signal(*_):
        nonlocal exit_code
        exit_code = STOPPED
        ended.set()

    def stop(_body):
        ended.set()
        return 202, {}

    signal.signal(signal.SIGTERM, on_signal)
    serve("0.0.0.0", PORT, {"GET /healthz": controller.health, "GET /state": controller.state, "POST /stop": stop})
    pause = 0.05  # s; until the plant is up
    while not ended.wait(pause):
        try:
            controller.decide()
            pause = STEP
        except Unreachable as error:
            if controller.decisions > 0:
                print(f"controller: {error}", flush=True)
    try:  # leave nothing hot behind
        fetch(f"{PLANT}/heater", "PUT", {"on": False})
        fetch(f"{PLANT}/stop", "POST", {})
        print("controller: heater off, ended", flush=True)
    except Unreachable:
        print("controller: ended; the plant had ended before, and its heater is off then", flush=True)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
