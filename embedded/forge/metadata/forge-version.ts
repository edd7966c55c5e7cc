/** The GitLab release whose behaviour this forge follows. */
export const forgeVersion = "19.3.0";
