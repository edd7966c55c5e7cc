/** A browser without script: keeps cookies, follows redirects, fills in forms. For tests only. */
export class Browser {
  /** By host and port, so that the cookies of two programs on one machine are told apart. */
  readonly cookies = new Map<string, string>();
  /** Addresses that were asked for, the last page's redirects included. */
  readonly visited: string[] = [];

  async open(url: string, init: RequestInit = {}): Promise<Shown> {
    let target = url;
    let request: RequestInit = init;
    for (let hops = 0; hops < 20; hops += 1) {
      this.visited.push(target);
      const response = await fetch(target, {
        ...request,
        redirect: "manual",
        headers: {
          accept: "text/html",
          ...(request.headers as Record<string, string>),
          cookie: this.#header(target),
        },
      });
      this.#keep(target, response.headers.getSetCookie());
      const location = response.headers.get("location");
      if (location === null || response.status < 300 || response.status > 399)
        return new Shown(target, response, await response.text());
      await response.body?.cancel();
      if (response.status !== 307) request = {};
      target = new URL(location, target).href;
    }
    throw new Error(`too many redirects at ${target}`);
  }

  /** Sends the form of this page whose action ends like that, with its hidden fields and these. */
  async send(shown: Shown, action: string, fields: Record<string, string> = {}): Promise<Shown> {
    const form = shown.form(action);
    return await this.open(form.action, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", origin: new URL(shown.url).origin },
      body: new URLSearchParams({ ...form.fields, ...fields }).toString(),
    });
  }

  #header(url: string): string {
    const { host } = new URL(url);
    return [...this.cookies]
      .filter(([key]) => key.startsWith(`${host} `))
      .map(([key, value]) => `${key.slice(host.length + 1)}=${value}`)
      .join("; ");
  }

  #keep(url: string, lines: readonly string[]): void {
    const { host } = new URL(url);
    for (const line of lines) {
      const [pair = ""] = line.split(";");
      const name = pair.slice(0, pair.indexOf("="));
      const value = pair.slice(name.length + 1);
      const isGone = value === "" || /expires=thu, 01 jan 1970/i.test(line);
      if (isGone) this.cookies.delete(`${host} ${name}`);
      else this.cookies.set(`${host} ${name}`, value);
    }
  }
}

/** A page as it was answered. */
export class Shown {
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;

  constructor(url: string, response: Response, text: string) {
    this.url = url;
    this.status = response.status;
    this.headers = response.headers;
    this.text = text;
  }

  form(action: string): { action: string; fields: Record<string, string> } {
    for (const [, start = "", inside = ""] of this.text.matchAll(/<form([^>]*)>(.*?)<\/form>/gs)) {
      const given = /action="([^"]*)"/.exec(start)?.[1];
      if (given === undefined || !given.endsWith(action)) continue;
      const fields: Record<string, string> = {};
      for (const [, input = ""] of inside.matchAll(/<input([^>]*)>/g)) {
        const name = /name="([^"]*)"/.exec(input)?.[1];
        if (name !== undefined) fields[name] = plain(/value="([^"]*)"/.exec(input)?.[1] ?? "");
      }
      return { action: new URL(plain(given), this.url).href, fields };
    }
    throw new Error(`${this.url} has no form for ${action}: ${this.text}`);
  }
}

function plain(text: string): string {
  return text
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&");
}
