import { z } from "zod";
import { SluiceError } from "../core/errors.ts";

/** What a registry is asked with. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
  /** A token that stands for the account, instead of a password; empty for none. */
  readonly identityToken: string;
}

/** Runs `docker-credential-NAME get` with the registry's name as input. */
export type CredentialHelper = (name: string, registry: string) => Promise<string>;

const entry = z.object({
  auth: z.string().nullish(),
  username: z.string().nullish(),
  password: z.string().nullish(),
  identitytoken: z.string().nullish(),
});
const configFile = z.object({
  auths: z.record(z.string(), entry).nullish(),
  credHelpers: z.record(z.string(), z.string()).nullish(),
  credsStore: z.string().nullish(),
});
const helperAnswer = z.object({ Username: z.string(), Secret: z.string() });

const HUB_NAMES = ["docker.io", "index.docker.io", "registry-1.docker.io"];
/** What a helper gives in the place of a name when the secret is a token. */
const TOKEN_USER = "<token>";

/** What a Docker config file says of a registry; null for nothing. Helpers that it names are asked only where the operator named them too.
 *  @param registryName as people write it, `docker.io`
 *  @see https://docs.docker.com/reference/cli/docker/login/
 *  @throws SluiceError CONFIG_INVALID; no message holds a part of the file */
export async function credentialsFor(
  text: string,
  registryName: string,
  helpers: { readonly allowed: readonly string[]; readonly run: CredentialHelper },
): Promise<Credentials | null> {
  const file = parse(text);
  const names = HUB_NAMES.includes(registryName) ? HUB_NAMES : [registryName];
  const isNamed = (key: string): boolean => names.includes(hostOf(key));
  const helper = Object.entries(file.credHelpers ?? {}).find(([key]) => isNamed(key))?.[1] ?? file.credsStore;
  if (helper && helpers.allowed.includes(helper)) return await fromHelper(helper, registryName, helpers.run);
  const found = Object.entries(file.auths ?? {}).find(([key]) => isNamed(key))?.[1];
  return found === undefined ? null : fromEntry(found);
}

function parse(text: string): z.infer<typeof configFile> {
  try {
    return configFile.parse(JSON.parse(text));
  } catch {
    throw new SluiceError(
      "CONFIG_INVALID",
      "Cannot read a file of registry credentials: it is not as `docker login` writes it",
    );
  }
}

/** `https://index.docker.io/v1/` and `registry.example.org:5000` alike. */
function hostOf(key: string): string {
  return (
    key
      .replace(/^https?:\/\//, "")
      .split("/")[0]
      ?.toLowerCase() ?? ""
  );
}

function fromEntry({ auth, username, password, identitytoken }: z.infer<typeof entry>): Credentials | null {
  const decoded = Buffer.from(auth ?? "", "base64").toString("utf8");
  const colon = decoded.indexOf(":");
  const user = username ?? decoded.slice(0, Math.max(0, colon));
  const secret = password ?? (colon < 0 ? "" : decoded.slice(colon + 1).replace(/\0+$/, ""));
  const token = identitytoken ?? "";
  if (token === "" && (user === "" || secret === "")) return null;
  return { username: user, password: secret, identityToken: token };
}

async function fromHelper(name: string, registry: string, run: CredentialHelper): Promise<Credentials | null> {
  const address = registry === "docker.io" ? "https://index.docker.io/v1/" : registry;
  const { success, data } = helperAnswer.safeParse(jsonOrNull(await run(name, address)));
  if (!success) return null;
  const isToken = data.Username === TOKEN_USER;
  return {
    username: isToken ? "" : data.Username,
    password: isToken ? "" : data.Secret,
    identityToken: isToken ? data.Secret : "",
  };
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
