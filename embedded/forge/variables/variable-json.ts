import type { VariableRecord } from "../store/records.ts";

/** A variable as the API tells it. The value of a hidden one is told to nobody. */
export function variableJson(variable: VariableRecord) {
  return {
    variable_type: variable.type,
    key: variable.key,
    value: variable.hidden ? null : variable.value,
    protected: variable.protected,
    masked: variable.masked,
    hidden: variable.hidden,
    raw: variable.raw,
    environment_scope: variable.environmentScope,
    description: variable.description,
  };
}
