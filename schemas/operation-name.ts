/** Lower-case, as the schema says; `constructor` would be found on every JavaScript object. */
const operationName = /^(?!constructor$)[a-z][a-z0-9_-]{0,38}$/;

/** True for a name that an operation, and so a script in `lifecycle/`, may have. */
export function isOperationName(name: string): boolean {
  return operationName.test(name);
}
