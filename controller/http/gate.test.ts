import { expect, test } from "vitest";
import { Gate } from "./gate.ts";

test("one person takes only a part of the places, and each place is free again afterwards", async () => {
  const gate = new Gate("uploads", { max: 3, maxOfOne: 2 });
  const ends: (() => void)[] = [];
  const slow = () => new Promise<void>((resolve) => ends.push(resolve));
  const running = [gate.pass(1, slow), gate.pass(1, slow)];
  await expect(gate.pass(1, slow)).rejects.toThrow("2 uploads of yours are under way already");
  running.push(gate.pass(2, slow));
  await expect(gate.pass(3, slow)).rejects.toMatchObject({ name: "TryLaterError" });
  for (const end of ends) end();
  await Promise.all(running);
  await expect(gate.pass(3, () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  expect(await gate.pass(3, async () => "in")).toBe("in");
});
