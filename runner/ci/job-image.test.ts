import { expect, test } from "vitest";
import { jobImage } from "./job-image.ts";

test.each([
  [undefined, "python"],
  ["", "python"],
  ["python:3.12-slim", "python"],
  ["debian:bookworm", "base"],
  ["library/ubuntu:24.04", "base"],
  ["base", "base"],
])("%s is made of the template %s", (image, template) => {
  expect(jobImage(image, [])).toMatchObject({ kind: "template", workspace: { template } });
});

test.each([
  "fedora:41",
  "dtaas/base:bookworm",
  "evil.example.org/python",
  "python --privileged",
  "constructor",
])("%s is refused, and it is said what may be used", (image) => {
  expect(jobImage(image, ["intocps/*"])).toMatchObject({
    kind: "refused",
    why: expect.stringMatching(/intocps/),
  });
});

test("what the platform allows is run as it is", () => {
  expect(jobImage("intocps/fmu:1", ["intocps/*"])).toEqual({ kind: "ready", name: "intocps/fmu:1" });
});
