import { homedir } from "node:os";
import { join } from "node:path";
import { readTextIfThere } from "#core/atomic-file";

/** What a machine's pip is set to. URLs may hold credentials; folders may stand where URLs can. */
export interface MachinePip {
  /** Absent: pip's own default index is used. */
  indexUrl?: string;
  extraIndexUrls: string[];
  findLinks: string[];
  noIndex: boolean;
  /** Certificates of authorities to trust, a file. */
  cert?: string;
  /** Certificate and key to show, a file. */
  clientCert?: string;
  proxy?: string;
  trustedHosts: string[];
}

const systemCertificates = "/etc/ssl/certs/ca-certificates.crt";

/** Reads the settings where pip does: environment, `PIP_CONFIG_FILE`, the user's and the machine's files. */
export async function readMachinePip(environment: NodeJS.ProcessEnv): Promise<MachinePip> {
  const home = environment["HOME"] ?? homedir();
  const ownFolder = environment["XDG_CONFIG_HOME"] ?? join(home, ".config");
  const files = [
    "/etc/xdg/pip/pip.conf",
    "/etc/pip.conf",
    join(home, ".pip/pip.conf"),
    join(ownFolder, "pip/pip.conf"),
  ];
  const given = environment["PIP_CONFIG_FILE"];
  if (given !== undefined) files.push(given);
  const values: Record<string, string> = {};
  // pip reads no file at all when it is pointed to the null device.
  for (const file of given === "/dev/null" ? [] : files) {
    Object.assign(values, parsePipConfig((await readTextIfThere(file)) ?? ""));
  }
  for (const [name, value] of Object.entries(environment)) {
    if (name.startsWith("PIP_") && value) values[name.slice(4).toLowerCase().replaceAll("_", "-")] = value;
  }
  const list = (name: string) => (values[name] ?? "").split(/\s+/).filter(Boolean);
  const certificates =
    values["cert"] ??
    environment["REQUESTS_CA_BUNDLE"] ??
    environment["SSL_CERT_FILE"] ??
    ((await readTextIfThere(systemCertificates)) === undefined ? undefined : systemCertificates);
  const [indexUrl] = [...list("index-url"), ...list("pypi-url")];
  const { proxy } = values;
  const clientCert = values["client-cert"];
  return {
    ...(indexUrl === undefined ? {} : { indexUrl }),
    extraIndexUrls: list("extra-index-url"),
    findLinks: list("find-links"),
    noIndex: /^(1|true|yes|on|y|t)$/i.test(values["no-index"] ?? ""),
    ...(certificates === undefined ? {} : { cert: certificates }),
    ...(clientCert === undefined ? {} : { clientCert }),
    ...(proxy === undefined ? {} : { proxy }),
    trustedHosts: list("trusted-host"),
  };
}

/** The sections that concern installing, later ones winning, as pip reads its INI files. */
export function parsePipConfig(text: string): Record<string, string> {
  const sections: Record<string, Record<string, string>> = { global: {}, install: {} };
  let section: Record<string, string> = {};
  let last = "";
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*([#;]|$)/.test(line)) continue;
    const heading = /^\[([^\]]+)\]/.exec(line)?.[1];
    const pair = /^([^\s:=][^:=]*?)\s*[:=]\s*(.*)$/.exec(line);
    if (heading !== undefined) {
      section = Object.hasOwn(sections, heading) ? (sections[heading] ?? {}) : {};
      last = "";
    } else if (/^\s/.test(line) && last !== "") section[last] += `\n${line.trim()}`;
    else if (pair) {
      last = (pair[1] ?? "").toLowerCase().replaceAll("_", "-");
      section[last] = pair[2] ?? "";
    }
  }
  return { ...sections["global"], ...sections["install"] };
}
