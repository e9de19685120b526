import type { Credentials } from "../../client/client.ts";
import { SluiceError } from "../../core/errors.ts";
import { defineCommand, expectArguments } from "../arguments.ts";
import { clientOf } from "../connect.ts";
import { checkContextName, readContexts, writeContexts } from "../contexts.ts";
import { parseEndpoint } from "../endpoint.ts";
import { type Io, say, tell } from "../io.ts";
import { ask, askSecret, readSecret } from "../prompt.ts";

const USAGE = "login URL";

export const command = defineCommand({
  name: "login",
  summary: "Remember a server and its credentials",
  usage: [`${USAGE} [--name NAME] [--user NAME]`],
  description: [
    "Asks for user and password, tries them, and makes this server the current context. They are kept in ~/.config/sluice/config.yaml, which only you can read.",
  ],
  options: {
    name: { type: "string", value: "NAME", help: "What to call the server (default: its host name)" },
    user: { type: "string", value: "NAME", help: "User name (default: asked for)" },
    "password-stdin": { type: "boolean", help: "Read the password from stdin" },
    "token-stdin": { type: "boolean", help: "Read a token from stdin instead of user and password" },
  },
  examples: [
    "sluice login https://sluice.example.org",
    "pass sluice | sluice login http://lab:8080 --name lab --user ada --password-stdin",
  ],
  async run({ flags, positionals }, io) {
    const [url = ""] = expectArguments(USAGE, positionals, 1, 1);
    const endpoint = parseEndpoint(url);
    const name = flags.name ?? new URL(endpoint).hostname.replace(/^\[|\]$/g, "").replaceAll(":", "-");
    checkContextName(name);
    warnOfPlainHttp(endpoint, io);
    const credentials = await readCredentials(flags, io);
    const { config } = await (await clientOf({ endpoint, credentials })).getConfig();
    const contexts = await readContexts(io);
    const all = new Map([...contexts.all, [name, { endpoint, credentials }]]);
    await writeContexts(io, { current: name, all });
    say(io, `Logged in to ${config.name || "the server"} at ${endpoint}; it is now the context "${name}"`);
    return 0;
  },
});

interface LoginFlags {
  readonly user?: string | undefined;
  readonly "password-stdin"?: boolean | undefined;
  readonly "token-stdin"?: boolean | undefined;
}

async function readCredentials(flags: LoginFlags, io: Io): Promise<Credentials> {
  if (flags["token-stdin"] === true) {
    if (flags.user === undefined && flags["password-stdin"] !== true)
      return { kind: "bearer", token: await readSecret(io) };
    throw new SluiceError("USAGE", "Cannot log in: --token-stdin stands in place of --user and --password-stdin");
  }
  if (flags["password-stdin"] === true) {
    if (flags.user === undefined) throw new SluiceError("USAGE", "Cannot log in: --password-stdin needs --user");
    return { kind: "basic", user: flags.user, password: await readSecret(io) };
  }
  const user = flags.user ?? (await ask(io, "User", "admin"));
  return { kind: "basic", user, password: await askSecret(io, `Password of ${user}`) };
}

function warnOfPlainHttp(endpoint: string, io: Io): void {
  const { protocol, hostname } = new URL(endpoint);
  const near = hostname === "localhost" || hostname.startsWith("127.") || hostname === "[::1]";
  if (protocol === "http:" && !near)
    tell(io, `Note: ${endpoint} is not encrypted: others on the way can read the password`);
}
