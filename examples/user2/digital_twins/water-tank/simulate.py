#!/usr/bin/env python3
"""A level-controlled tank with an injected fault, and a detector that compares it with a model.

    residual r = A (predicted level - measured level) / h   [m3/s]: water that the model says should be there
"""

import csv
import json
import os
import random
import sys
from pathlib import Path

WORKSPACE = Path(__file__).resolve().parents[2]
for asset in ("models/water-tank", "functions/hysteresis", "functions/cusum"):
    sys.path.insert(0, str(WORKSPACE / "common" / asset))

from cusum import Cusum
from hysteresis import Hysteresis
from tank import Tank

AREA = 1.0  # m2
INFLOW = 0.1  # m3/s
VALVE = 0.06  # m2; lets out more than flows in, at any level above 0.4 m
LEAK = 0.02  # m2
SENSOR_NOISE = 0.001  # m, standard deviation
LOWER, UPPER = 1.0, 2.0  # m
SLACK = 0.015  # m3/s, half the smallest leak worth finding
LIMIT = 0.25  # m3/s summed up; above it is an alarm

STEP = float(os.environ.get("STEP", "0.1"))  # s
DURATION = float(os.environ.get("DURATION", "100"))  # s
FAULT = os.environ.get("FAULT", "leak")
FAULT_FROM = float(os.environ.get("FAULT_FROM", "12"))  # s
FAULT_TO = float(os.environ.get("FAULT_TO", "20"))  # s
SEED = int(os.environ.get("SEED", "1"))
OUTPUT = WORKSPACE / "data/water-tank/output"
COLUMNS = ["time", "level", "measured", "valve", "fault", "residual", "alarm", "volumeIn", "volumeOut", "volumeLeaked"]


def openings(command, faulty):
    """What is really open, by name."""
    closed = not command or (faulty and FAULT == "stuck-valve")
    return {"valve": 0.0 if closed else VALVE, "leak": LEAK if faulty and FAULT == "leak" else 0.0}


def simulate():
    """Yields one row per step, as in COLUMNS."""
    noise = random.Random(SEED)
    tank = Tank(AREA, level=LOWER)
    control = Hysteresis(LOWER, UPPER, on_when="high")
    detector = Cusum(SLACK, LIMIT)
    measured, residual, alarm = tank.level, 0.0, 0
    for k in range(round(DURATION / STEP) + 1):
        time = k * STEP
        command = control.decide(measured)
        faulty = FAULT != "none" and FAULT_FROM <= time < FAULT_TO
        out = tank.volume_out
        volumes = (tank.volume_in, out.get("valve", 0.0), out.get("leak", 0.0))
        yield (time, tank.level, measured, int(command), int(faulty), residual, alarm, *volumes)

        model = Tank(AREA, level=max(measured, 0.0))
        model.advance(STEP, INFLOW, openings(command, faulty=False))
        tank.advance(STEP, INFLOW, openings(command, faulty))
        measured = tank.level + noise.gauss(0.0, SENSOR_NOISE)
        residual = AREA * (model.level - measured) / STEP
        alarm = detector.update(residual)


def judge(rows):
    """What the detector found, against what was done."""
    alarms, begun = [], None
    for row in rows:
        time, alarm = row[0], row[6]
        if alarm and begun is None:
            begun = time
        if not alarm and begun is not None:
            alarms.append({"from": begun, "to": time})
            begun = None
    if begun is not None:
        alarms.append({"from": begun, "to": rows[-1][0]})
    # An alarm may last a little longer than the fault: the sum has to shrink below the limit again.
    for alarm in alarms:
        during = [row[5] for row in rows if alarm["from"] <= row[0] < min(alarm["to"], FAULT_TO)]
        alarm["meanResidual"] = sum(during) / len(during) if during else 0.0
    real = [a for a in alarms if FAULT != "none" and FAULT_FROM <= a["from"] < FAULT_TO]
    return {
        "fault": {"kind": FAULT, "from": FAULT_FROM, "to": FAULT_TO} if FAULT != "none" else None,
        "alarms": alarms,
        "detected": bool(real),
        "delay": real[0]["from"] - FAULT_FROM if real else None,
        "falseAlarms": len(alarms) - len(real),
        "estimatedFlow": real[0]["meanResidual"] if real else None,
        "leakedVolume": rows[-1][9],
    }


def main():
    if FAULT not in ("leak", "stuck-valve", "none"):
        sys.exit(f"FAULT is leak, stuck-valve or none, not {FAULT}")
    rows = list(simulate())
    OUTPUT.mkdir(parents=True, exist_ok=True)
    with (OUTPUT / "results.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([f"{value:.9g}" for value in row] for row in rows)
    report = judge(rows)
    (OUTPUT / "detection.json").write_text(json.dumps(report, indent=2) + "\n")
    print(f"{len(rows)} rows; fault: {FAULT}; alarms: {len(report['alarms'])}, false: {report['falseAlarms']}")


if __name__ == "__main__":
    main()
