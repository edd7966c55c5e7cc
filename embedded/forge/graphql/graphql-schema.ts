import { buildSchema } from "graphql";

/** The part of GitLab's schema that this forge has, in GitLab's own words; `QueryRoot` answers it. */
export const graphQlSchema = buildSchema(`
  type Query {
    project(fullPath: ID!): Project
    projects(ids: [ID!], fullPaths: [String!], first: Int, after: String): ProjectConnection
  }
  type ProjectConnection {
    nodes: [Project]
    pageInfo: PageInfo!
  }
  type PageInfo {
    endCursor: String
    hasNextPage: Boolean!
  }
  type Project {
    id: ID!
    name: String!
    path: String!
    fullPath: ID!
    description: String
    archived: Boolean
    visibility: String
    webUrl: String
    repository: Repository
  }
  type Repository {
    empty: Boolean!
    exists: Boolean!
    rootRef: String
    tree: Tree
  }
  type Tree {
    lastCommit: Commit
  }
  type Commit {
    id: ID!
    sha: String!
    shortId: String!
    title: String
    message: String
    authoredDate: String
    committedDate: String
    webUrl: String!
  }
`);
