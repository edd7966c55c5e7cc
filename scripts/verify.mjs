#!/usr/bin/env node
// npm run verify: all that needs no daemon.
import { runChecks } from "./checks.mjs";
import { runTests, sayResult } from "./run-tests.mjs";

const failedChecks = await runChecks();
sayResult(await runTests(["--project", "unit"]), failedChecks);
