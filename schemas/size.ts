const unitBytes: Readonly<Record<string, number>> = {
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
  Ti: 1024 ** 4,
  k: 1000,
  M: 1000 ** 2,
  G: 1000 ** 3,
  T: 1000 ** 4,
};

/** Bytes of a size such as `512Mi`, `1Gi` or `100M`; `undefined` for any other text. */
export function parseSize(text: string): number | undefined {
  const match = /^([1-9][0-9]{0,11})(Ki|Mi|Gi|Ti|k|M|G|T)$/.exec(text);
  const unit = unitBytes[match?.[2] ?? ""];
  return match === null || unit === undefined ? undefined : Number(match[1]) * unit;
}
