import type { Ref, Refs } from "../git/list-refs.ts";
import { packetLine } from "./packet-line.ts";

const flush = "0000";
const delimiter = "0001";
const maxPrefixes = 1_000; // git itself stops looking at them one by one beyond 65,536

/** A client's `ls-refs` command of protocol version 2. */
export interface LsRefs {
  /** Which names are wanted; none for all. */
  prefixes: string[];
  /** Tell where `HEAD` leads. */
  symrefs: boolean;
  /** Tell what annotated tags point at. */
  peel: boolean;
  /** Tell where `HEAD` leads even when that branch is not there yet. */
  unborn: boolean;
}

/** Reads a whole request; `undefined` for another command, and for anything in it that is not known here. */
export function parseLsRefs(body: Buffer): LsRefs | undefined {
  const packets = readPackets(body);
  if (packets?.shift() !== "command=ls-refs") return undefined;
  const end = packets.indexOf(delimiter);
  const capabilities = end < 0 ? packets : packets.slice(0, end);
  if (!capabilities.every((each) => /^agent=|^object-format=sha1$/.test(each))) return undefined;
  const wanted: LsRefs = { prefixes: [], symrefs: false, peel: false, unborn: false };
  for (const line of end < 0 ? [] : packets.slice(end + 1)) {
    if (line === "symrefs" || line === "peel" || line === "unborn") wanted[line] = true;
    else if (line.startsWith("ref-prefix ")) wanted.prefixes.push(line.slice("ref-prefix ".length));
    else return undefined;
  }
  return wanted.prefixes.length > maxPrefixes ? undefined : wanted;
}

/** The answer as git gives it, refs of ours alone hidden; `undefined` where only git can tell what a tag points at. */
export function answerLsRefs(wanted: LsRefs, { head, refs }: Refs): string | undefined {
  const { prefixes } = wanted;
  const shown = (name: string) =>
    !isHidden(name) && (prefixes.length === 0 || prefixes.some((prefix) => name.startsWith(prefix)));
  const listed = refs.filter(({ name }) => shown(name));
  if (wanted.peel && listed.some(({ name }) => !name.startsWith("refs/heads/"))) return undefined;
  const target = wanted.symrefs ? ` symref-target:${head}` : "";
  const id =
    refs.find(({ name }) => name === head)?.id ?? (wanted.unborn && target !== "" ? "unborn" : undefined);
  const first: Ref[] = shown("HEAD") && id !== undefined ? [{ id, name: `HEAD${target}` }] : [];
  return [...first, ...listed].map((ref) => packetLine(`${ref.id} ${ref.name}\n`)).join("") + flush;
}

/** True for what the setting `transfer.hideRefs` keeps from everybody. */
export function isHidden(name: string): boolean {
  return /^refs\/(dtaas|keep-around)(\/|$)/.test(name);
}

/** The lines up to the flush that ends a request, without line feeds; `undefined` for anything else. */
function readPackets(body: Buffer): string[] | undefined {
  const packets: string[] = [];
  for (let at = 0; at + 4 <= body.length; ) {
    const head = body.toString("latin1", at, at + 4);
    if (head === flush) return at + 4 === body.length ? packets : undefined;
    if (head === delimiter) {
      packets.push(delimiter);
      at += 4;
      continue;
    }
    const length = /^[0-9a-f]{4}$/.test(head) ? Number.parseInt(head, 16) : 0;
    if (length <= 4 || at + length > body.length) return undefined;
    const text = body.toString("utf8", at + 4, at + length).replace(/\n$/, "");
    if (text === delimiter) return undefined;
    packets.push(text);
    at += length;
  }
  return undefined;
}
