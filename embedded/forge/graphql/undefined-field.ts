import { GraphQLError, type ValidationRule } from "graphql";

/** A field that this forge does not have, told as GitLab tells of one that it does not have. */
export const undefinedField: ValidationRule = (context) => ({
  Field(node, _key, _parent, _path, ancestors) {
    const type = context.getParentType();
    if (!type || context.getFieldDef()) return;
    const { name, fields } = { name: node.name.value, fields: ancestors.flatMap(fieldName) };
    const error = new GraphQLError(`Field '${name}' doesn't exist on type '${type.name}'`, {
      nodes: node,
      path: ["query", ...fields, name],
      extensions: { code: "undefinedField", typeName: type.name, fieldName: name },
    });
    context.reportError(error);
  },
});

function fieldName(ancestor: unknown): string[] {
  const { kind, name } = ancestor as { kind?: unknown; name?: { value?: unknown } };
  return kind === "Field" ? [String(name?.value)] : [];
}
