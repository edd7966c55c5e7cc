// What the library's part of the REST API answers; see api.ts.

/** One asset: a folder or a file directly below the folder of its kind. */
export interface LibraryAsset {
  kind: "data" | "functions" | "models" | "tools" | "digital_twins";
  name: string;
  /** In its repository: `<kind>/<name>`. */
  path: string;
  folder: boolean;
  /** Regular files, and their bytes together. */
  files: number;
  bytes: number;
  /** Git's id of the content: equal ids, equal content. */
  id: string;
  /** First heading of its README; empty where there is none. */
  title: string;
  /** First paragraph of its description or README. */
  description: string;
}

export interface LibraryRepositoryView {
  /** Full path of the project. */
  repository: string;
  kind: "user" | "shared";
  /** Head of the default branch; `null` for an empty repository. */
  commit: string | null;
  webUrl: string;
}

/** A page of something at one exact commit. */
export interface LibraryPage<T> {
  repository: string;
  commit: string | null;
  items: T[];
  /** Goes into `after` (with the same `commit`) for the next page; `null` at the end. */
  next: string | null;
}

export interface LibraryEntry {
  name: string;
  path: string;
  kind: "file" | "folder" | "link" | "submodule";
  executable: boolean;
  /** Of a file. */
  bytes: number;
  id: string;
}

export interface LibraryHit extends LibraryAsset {
  repository: string;
  commit: string;
  score: number;
}

export interface LibrarySearch {
  items: LibraryHit[];
  /** There are more than were asked for. */
  more: boolean;
}

/** One commit that was made, or none where everything was so already. */
export interface LibraryChange {
  repository: string;
  changed: boolean;
  /** The new commit; the head as it was where nothing changed. */
  commit: string | null;
  files: { path: string; action: "create" | "update" | "delete" | "move" | "chmod"; from?: string }[];
}
