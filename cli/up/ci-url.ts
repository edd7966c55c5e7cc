import { ciDoorPort, ciHostName } from "#runner/ci/ci-door";

/** Where jobs of pipelines reach the controller of a platform that `dtaas up` has started. */
export const ciUrl = `http://${ciHostName}:${ciDoorPort}`;
