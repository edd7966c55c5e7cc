#!/usr/bin/env python3
"""Keeps account of the water in three tanks: in each tank, and on the way between two.

    in a tank      A (h - h0) = in - out                       to rounding, at any time
    on the way     out of the one before - in here >= 0        what the pipe holds, and a few steps' worth
"""

import os
import sys
import time
from pathlib import Path

WORKSPACE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(WORKSPACE / "common/functions/json-over-http"))

from json_over_http import Unreachable, fetch, serve

PORT = int(os.environ.get("PORT", "8000"))
TANKS = os.environ.get("TANKS", "http://tank-1:8000 http://tank-2:8000 http://tank-3:8000").split()
STEP = float(os.environ.get("STEP_SECONDS", "1"))  # real seconds between two observations
TOLERANCE = 1e-6  # m3
LOG_EVERY = 10  # observations


def account(tanks):
    """The balance of tanks that were read from the last to the first: water is only ever late, never early."""
    rows = []
    for k, tank in enumerate(tanks):
        stored = tank["area"] * (tank["level"] - tank["start"])
        row = {
            "tank": tank["tank"],
            "level": tank["level"],
            "volumeIn": tank["volumeIn"],
            "volumeOut": tank["volumeOut"],
            "error": stored - (tank["volumeIn"] - tank["volumeOut"]),
        }
        upstream = tank["upstream"]
        if k > 0 and upstream and upstream["filling"] == tanks[k - 1]["filling"]:
            row["onTheWay"] = tanks[k - 1]["volumeOut"] - upstream["volume"] + tank["pipe"]
        rows.append(row)
    balanced = all(abs(row["error"]) < TOLERANCE and row.get("onTheWay", 0.0) >= -TOLERANCE for row in rows)
    return {"balanced": balanced, "tanks": rows}


def main():
    seen, missing = None, "nothing was seen yet"

    def health(_body):
        # Once it has seen all of them it stays healthy: to restart the observer would bring no tank back.
        return (200, {"status": "ok"}) if seen else (503, {"status": missing})

    def state(_body):
        return 200, {**(seen or {"balanced": None, "tanks": []}), "missing": missing}

    serve("0.0.0.0", PORT, {"GET /state": state, "GET /healthz": health})
    count = 0
    while True:
        try:
            seen = account([fetch(f"{url}/state") for url in reversed(TANKS)][::-1])
            missing = None
            if count % LOG_EVERY == 0 or not seen["balanced"]:
                levels = "  ".join(f"{row['tank']} {row['level']:.3f} m" for row in seen["tanks"])
                print(f"{levels}  {'balanced' if seen['balanced'] else 'WATER IS MISSING'}", flush=True)
            count += 1
        except Unreachable as error:
            missing = str(error)
            print(f"three-tank: {error}", flush=True)
        time.sleep(STEP)


if __name__ == "__main__":
    main()
