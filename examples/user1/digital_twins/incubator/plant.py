#!/usr/bin/env python3
"""Stands for the physical incubator: temperature to be read, heater to be switched, both over HTTP on loopback."""

import os
import signal
import sys
import time
from pathlib import Path
from threading import Event, Lock

WORKSPACE = Path(__file__).resolve().parents[2]
for asset in ("models/incubator-thermal", "functions/json-over-http"):
    sys.path.insert(0, str(WORKSPACE / "common" / asset))

from json_over_http import serve
from thermal import Thermal, read_parameters

PORT = int(os.environ.get("PLANT_PORT", "8001"))
TIME_SCALE = float(os.environ.get("TIME_SCALE", "10"))  # simulated seconds per second
STEP = float(os.environ.get("STEP_SECONDS", "1"))  # real seconds between two steps
FAIL_SAFE_AFTER = float(os.environ.get("FAIL_SAFE_SECONDS", "10"))  # without a command: heater off
GIVE_UP_AFTER = 6 * FAIL_SAFE_AFTER  # without a command: nobody is in charge any more


class Plant:
    def __init__(self):
        self.lock = Lock()
        parameters = read_parameters(WORKSPACE / "common/data/incubator/parameters.json")
        self.thermal = Thermal(parameters, room=float(os.environ.get("ROOM", "21")))
        self.heater_on = False
        self.time = 0.0  # s, simulated
        self.commanded_at = time.monotonic()

    def reading(self, _body=None):
        with self.lock:
            thermal = self.thermal
            return 200, {
                "time": self.time,
                "air": thermal.air,
                "heater": thermal.heater,
                "heaterOn": self.heater_on,
                "energyIn": thermal.energy_in,
                "energyLost": thermal.energy_lost,
                "energyStored": thermal.stored(),
            }

    def switch(self, body):
        if not isinstance(body, dict) or not isinstance(body.get("on"), bool):
            return 400, {"error": 'send {"on": true} or {"on": false}'}
        with self.lock:
            self.heater_on = body["on"]
            self.commanded_at = time.monotonic()
        return self.reading()

    def advance(self):
        """One step. False when nobody has been in charge for too long."""
        with self.lock:
            silence = time.monotonic() - self.commanded_at
            if self.heater_on and silence > FAIL_SAFE_AFTER:
                self.heater_on = False
                print("plant: no command for a while, heater off", flush=True)
            self.thermal.advance(STEP * TIME_SCALE, self.heater_on)
            self.time += STEP * TIME_SCALE
            return silence < GIVE_UP_AFTER


def main():
    ended = Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    plant = Plant()

    def stop(_body):
        ended.set()
        return 200, {}

    serve("127.0.0.1", PORT, {"GET /": plant.reading, "PUT /heater": plant.switch, "POST /stop": stop})
    print(f"plant: on port {PORT}, {TIME_SCALE:g} simulated seconds per second", flush=True)
    while not ended.wait(STEP):
        if not plant.advance():
            print("plant: the controller is gone", flush=True)
            return 1
    # Without its program the box has no power: the stop signal reaches controller and plant at the same time.
    print("plant: ended, heater off", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
