#!/usr/bin/env python3
"""Fixed-step co-simulation of units (see README.md), Jacobi or Gauss-Seidel."""

import argparse
import csv
import importlib.util
import json
import sys
from pathlib import Path

WORKSPACE = Path(__file__).absolute().parents[3]  # /workspace/common/tools/co-simulation/cosimulate.py, links not followed


class Unit:
    """One model, with its variables as its description declares them."""

    def __init__(self, name, folder, parameters):
        self.name = name
        variables = json.loads((folder / "modelDescription.json").read_text())["variables"]
        self.inputs = {v["name"] for v in variables if v["causality"] == "input"}
        self.outputs = [v["name"] for v in variables if v["causality"] == "output"]
        starts = {v["name"]: v["start"] for v in variables if v["causality"] == "parameter"}
        unknown = set(parameters) - set(starts)
        if unknown:
            raise SystemExit(f"{name}: no parameter {', '.join(sorted(unknown))} (there are {', '.join(starts)})")
        spec = importlib.util.spec_from_file_location(f"unit_{name}", folder / "model.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.model = module.Model(**{**starts, **parameters})


class CoSimulation:
    """Units and who feeds whom. `values` holds the newest known output of every unit, by `unit.variable`."""

    def __init__(self, multimodel, workspace=WORKSPACE):
        self.units = [
            Unit(name, workspace / unit["path"], unit.get("parameters", {}))
            for name, unit in multimodel["units"].items()
        ]
        self.sources = {unit.name: {} for unit in self.units}  # unit -> {input: "unit.output"}
        self.values = {}
        known = {f"{unit.name}.{output}" for unit in self.units for output in unit.outputs}
        for source, target in multimodel["connections"]:
            name, _, variable = target.partition(".")
            unit = next((u for u in self.units if u.name == name), None)
            if source not in known or unit is None or variable not in unit.inputs:
                raise SystemExit(f"connection {source} -> {target}: one of its ends is not there")
            self.sources[name][variable] = source
        for _ in self.units:  # so that the outputs at t=0 fit each other
            for unit in self.units:
                self._feed(unit)
                self._publish(unit)

    def step(self, h, algorithm):
        if algorithm == "jacobi":
            for unit in self.units:
                self._feed(unit)
            for unit in self.units:
                unit.model.do_step(h)
            for unit in self.units:
                self._publish(unit)
        else:
            for unit in self.units:
                self._feed(unit)
                unit.model.do_step(h)
                self._publish(unit)

    def settle(self):
        """Outputs that depend on an input without delay, such as a force, with all inputs of this moment."""
        for unit in self.units:
            self._feed(unit)
        for unit in self.units:
            self._publish(unit)

    def _feed(self, unit):
        wanted = self.sources[unit.name]
        unit.model.set({name: self.values[source] for name, source in wanted.items() if source in self.values})

    def _publish(self, unit):
        outputs = unit.model.get()
        for name in unit.outputs:
            self.values[f"{unit.name}.{name}"] = outputs[name]


def simulate(multimodel, algorithm, step, stop, every, on_row):
    """Calls `on_row(time, values)` at the start and after every `every`-th step."""
    simulation = CoSimulation(multimodel)
    count = round(stop / step)
    on_row(0.0, simulation.values)
    for k in range(1, count + 1):
        simulation.step(step, algorithm)
        simulation.settle()
        if k % every == 0 or k == count:
            on_row(k * step, simulation.values)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("multimodel", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--algorithm", choices=["jacobi", "gauss-seidel"])
    parser.add_argument("--step", type=float, help="seconds")
    parser.add_argument("--stop", type=float, help="seconds")
    options = parser.parse_args()
    multimodel = json.loads(options.multimodel.read_text())
    algorithm = options.algorithm or multimodel["algorithm"]
    step = options.step or multimodel["step"]
    stop = options.stop or multimodel["stop"]
    every = max(1, round(multimodel["outputInterval"] / step))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        names = []

        def write(time, values):
            if not names:
                names.extend(values)
                rows.writerow(["time", *names])
            rows.writerow([f"{time:.6g}", *(f"{values[name]:.12g}" for name in names)])

        simulate(multimodel, algorithm, step, stop, every, write)
    print(f"{algorithm}, {stop:g} s in steps of {step:g} s: wrote {options.out}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
