/** The id of a tree without files, the same in every repository. */
export const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
