import { expect, test } from "vitest";
import { EventQueue } from "./event-queue.ts";

test("values come in order, before and after somebody waits for them", async () => {
  const queue = new EventQueue<number>({ limit: 10, overflow: () => -1 });
  queue.push(1);
  const seen: number[] = [];
  const reading = (async () => {
    for await (const value of queue) seen.push(value);
  })();
  queue.push(2);
  await Promise.resolve();
  queue.push(3);
  queue.end();
  queue.push(4);
  await reading;
  expect(seen).toEqual([1, 2, 3]);
});

test("a reader who is too slow learns that something is missing", async () => {
  const queue = new EventQueue<number>({ limit: 3, overflow: () => -1 });
  for (let value = 1; value <= 5; value++) queue.push(value);
  queue.end();
  const seen: number[] = [];
  for await (const value of queue) seen.push(value);
  expect(seen).toEqual([-1, 5]);
});

test("leaving the loop ends the source", async () => {
  let ended = 0;
  const queue = new EventQueue<number>({ limit: 3, overflow: () => -1, onEnd: () => ended++ });
  queue.push(1);
  for await (const _ of queue) break;
  expect(ended).toBe(1);
});
