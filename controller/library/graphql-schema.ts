import { buildSchema } from "graphql";

/**
 * The questions that programs written for the earlier library service ask, answered in the shapes of GitLab's own GraphQL. `domain`
 * is taken and makes no difference.
 */
export const libraryGraphqlSchema = buildSchema(`
  type Query {
    "What lies in a folder: a repository's name, or a path below it. Empty: the repositories."
    listDirectory(path: String!, domain: String): Project
    "A file: a repository's name and the path below it."
    readFile(path: String!, domain: String): Project
  }
  type Project { repository: Repository }
  type Repository { tree: Tree, blobs: BlobConnection }
  type Tree { blobs: EntryConnection!, trees: EntryConnection! }
  type EntryConnection { nodes: [Entry!]!, edges: [EntryEdge!]! }
  type EntryEdge { node: Entry! }
  type Entry { name: String!, path: String!, type: String! }
  type BlobConnection { nodes: [Blob!]!, edges: [BlobEdge!]! }
  type BlobEdge { node: Blob! }
  type Blob {
    name: String!
    path: String!
    size: Int!
    "The content; null for what is no UTF-8 text, which would not arrive as it is."
    rawBlob: String
    rawTextBlob: String
  }
`);
