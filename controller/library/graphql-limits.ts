import { type ASTVisitor, GraphQLError, type ValidationContext } from "graphql";

const maxDepth = 8; // the deepest question that there is an answer to has 7
const maxRootFields = 10; // folders and files in one request

/**
 * Refuses what makes a small question expensive: depth, many questions in one under other names, and fragments, which
 * hide both and which nothing here needs.
 */
export function limitQuestions(context: ValidationContext): ASTVisitor {
  let depth = 0;
  let rootFields = 0;
  const refuse = (message: string) => context.reportError(new GraphQLError(message));
  const refuseFragment = () => {
    refuse("Fragments are not supported here");
    return false;
  };
  return {
    FragmentDefinition: refuseFragment,
    FragmentSpread: refuseFragment,
    InlineFragment: refuseFragment,
    Field: {
      enter: () => {
        depth += 1;
        if (depth === 1) rootFields += 1;
        if (depth === maxDepth + 1) refuse(`The question is deeper than ${maxDepth} fields`);
        if (depth === 1 && rootFields === maxRootFields + 1) {
          refuse(`One request may ask for ${maxRootFields} folders and files`);
        }
      },
      leave: () => {
        depth -= 1;
      },
    },
  };
}
