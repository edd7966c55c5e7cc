import type { Request } from "express";
import { badParameter } from "./api-error.ts";

/** Query and body of a request under GitLab's rules; the body wins. Errors are answered with 400. */
export class Parameters {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  static of(request: Request): Parameters {
    const body: unknown = request.body;
    return new Parameters({ ...request.query, ...(isRecord(body) ? body : {}) });
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#values, name);
  }

  hasAny(names: readonly string[]): boolean {
    return names.some((name) => this.has(name));
  }

  /** `undefined` where the parameter is absent or null; numbers and booleans are taken as their text. */
  text(name: string): string | undefined {
    const value = this.#value(name);
    if (value === undefined || value === null) return undefined;
    if (typeof value === "string") return value;
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    throw badParameter(`${name} is invalid`);
  }

  /** As `text`, with an empty one counted as absent. */
  filled(name: string): string | undefined {
    return this.text(name) || undefined;
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw badParameter(`${name} is missing`);
    return value;
  }

  requiredFilled(name: string): string {
    const value = this.required(name);
    if (value === "") throw badParameter(`${name} is empty`);
    return value;
  }

  integer(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined || text === "") return undefined;
    if (!/^-?\d{1,15}$/.test(text)) throw badParameter(`${name} is invalid`);
    return Number(text);
  }

  number(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined || text === "") return undefined;
    if (!/^-?\d{1,15}(\.\d{1,15})?$/.test(text)) throw badParameter(`${name} is invalid`);
    return Number(text);
  }

  boolean(name: string): boolean | undefined {
    const text = this.text(name);
    if (text === undefined || text === "") return undefined;
    // Python's clients say `True`, forms say `on`; GitLab takes these as well.
    if (/^(true|t|1|on|yes|y)$/i.test(text)) return true;
    if (/^(false|f|0|off|no|n)$/i.test(text)) return false;
    throw badParameter(`${name} is invalid`);
  }

  choice<const T extends string>(name: string, values: readonly T[]): T | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const found = values.find((value) => value === text);
    if (found === undefined) throw badParameter(`${name} does not have a valid value`);
    return found;
  }

  /** A day as `2026-12-31`. */
  day(name: string): string | undefined {
    const text = this.filled(name);
    if (text === undefined) return undefined;
    const day = text.slice(0, 10);
    if (!/^\d{4}-\d{2}-\d{2}$/.test(day) || Number.isNaN(Date.parse(day))) {
      throw badParameter(`${name} is invalid`);
    }
    return day;
  }

  /** A list, or one text with commas. */
  texts(name: string): string[] | undefined {
    const value = this.#value(name);
    if (value === undefined || value === null) return undefined;
    if (Array.isArray(value)) return value.map((each) => String(each));
    return String(this.text(name))
      .split(",")
      .map((each) => each.trim())
      .filter((each) => each !== "");
  }

  /** A list of hashes, also as urlencoded bodies bring it (`v[0][key]=`). */
  records(name: string): Parameters[] | undefined {
    const value = this.#value(name);
    if (value === undefined || value === null) return undefined;
    const items: unknown[] = Array.isArray(value) ? value : isRecord(value) ? Object.values(value) : [value];
    return items.map((item) => {
      if (!isRecord(item)) throw badParameter(`${name} is invalid`);
      return new Parameters(item);
    });
  }

  /** A hash, such as `filter[environment_scope]=` brings it. */
  record(name: string): Parameters | undefined {
    const value = this.#value(name);
    if (value === undefined || value === null) return undefined;
    if (!isRecord(value)) throw badParameter(`${name} is invalid`);
    return new Parameters(value);
  }

  /** As it came; `undefined` where it is absent. For what is only handed back. */
  raw(name: string): unknown {
    return this.#value(name);
  }

  #value(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
  }
}

/** A named segment of the route, decoded: `grp%2Fproject` arrives as `grp/project`. */
export function pathParameter(request: Request, name: string): string {
  const value = request.params[name];
  return typeof value === "string" ? value : "";
}

/** A numeric segment; anything else names nothing. */
export function pathId(request: Request, name: string): number {
  const text = pathParameter(request, name);
  return /^\d{1,15}$/.test(text) ? Number(text) : -1;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
