/** The kinds of assets; each is a folder at the root of a repository. */
export const assetKinds = ["data", "functions", "models", "tools", "digital_twins"] as const;

export type AssetKind = (typeof assetKinds)[number];

export function isAssetKind(name: string): name is AssetKind {
  return (assetKinds as readonly string[]).includes(name);
}
