import { readdirSync, readFileSync } from "node:fs";
import { isSystemError } from "#core/errors";
import type { ProcessIdentity } from "#core/process-identity";
import { runMark } from "./run-files.ts";

export interface SeenProcess {
  pid: number;
  parent: number;
  group: number;
  session: number;
}

/** Every living process of this machine; empty where the system has no /proc. */
export function allProcesses(): SeenProcess[] {
  return processNumbers().flatMap((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      const [state = "", parent, group, session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (state === "Z" || state === "X") return [];
      return [{ pid, parent: Number(parent), group: Number(group), session: Number(session) }];
    } catch {
      return []; // it has ended meanwhile
    }
  });
}

/**
 * The processes of a run: those of its session, and those that left it but carry its mark. `command` is given only
 * while its number cannot have been taken by somebody else.
 */
export function membersOf(id: string, command: ProcessIdentity | undefined): SeenProcess[] {
  const mark = `${runMark}=${id}`;
  return allProcesses().filter(
    ({ pid, session, group }) =>
      (command !== undefined && (session === command.pid || group === command.pid)) || isMarked(pid, mark),
  );
}

/** Sends a signal to each of them that still lives. */
export function signalAll(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch (error) {
      if (!isSystemError(error, "ESRCH") && !isSystemError(error, "EPERM")) throw error;
    }
  }
}

/** Ends all processes of a run now; those that are started meanwhile too. */
export function killMembers(id: string, command: ProcessIdentity | undefined): void {
  for (let turn = 0; turn < 5; turn++) {
    const members = membersOf(id, command);
    if (command !== undefined) signalAll([-command.pid, command.pid], "SIGKILL");
    if (members.length === 0) return;
    signalAll(
      members.map(({ pid }) => pid),
      "SIGKILL",
    );
  }
}

function isMarked(pid: number, mark: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(mark);
  } catch {
    return false; // somebody else's, or gone
  }
}

function processNumbers(): number[] {
  try {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}
