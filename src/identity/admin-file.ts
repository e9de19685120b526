import { randomInt } from "node:crypto";
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { SluiceError } from "../core/errors.ts";

/** The administrator's credentials, as `DIR/admin.json` holds them. */
export interface AdminCredentials {
  readonly user: string;
  readonly password: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

/** What the environment says over the file; null or absent for nothing. */
export type AdminOverrides = { readonly [Name in keyof AdminCredentials]?: string | null };

const schema = z.strictObject({
  user: z
    .string()
    .min(1)
    .refine((user) => !user.includes(":"), "a user name holds no colon"),
  password: z.string().min(8),
  access_key: z.string().regex(/^[A-Za-z0-9._-]{3,128}$/),
  secret_key: z.string().min(8),
});

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS = "0123456789";
const SAFE = LETTERS + LETTERS.toLowerCase() + DIGITS;

const adminFile = (dataDir: string): string => join(dataDir, "admin.json");

/** The credentials of a data directory: what `overrides` (from the environment) say, and for the rest the file, which is made with strong
 *  random values when it is absent. Overrides are never written.
 *  @throws SluiceError DATA_DIR_INVALID for a file that others could have read or written */
export function loadAdmin(dataDir: string, overrides: AdminOverrides = {}): AdminCredentials {
  const { user, password, accessKey, secretKey } = overrides;
  if (user && password && accessKey && secretKey) return { user, password, accessKey, secretKey };
  const stored = readAdmin(dataDir) ?? writeAdmin(dataDir, newAdmin());
  return {
    user: user || stored.user,
    password: password || stored.password,
    accessKey: accessKey || stored.accessKey,
    secretKey: secretKey || stored.secretKey,
  };
}

/** Replaces the file with new credentials, while no server runs. */
export function resetAdmin(dataDir: string): AdminCredentials {
  return writeAdmin(dataDir, newAdmin());
}

/** Null when there is no file. */
export function readAdmin(dataDir: string): AdminCredentials | null {
  const file = adminFile(dataDir);
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw invalid(file, "it cannot be opened", error);
  }
  try {
    const facts = fstatSync(fd);
    if (!facts.isFile()) throw invalid(file, "it is no regular file (remove it, then: sluice admin reset)");
    const { mode, uid } = facts;
    const me = process.getuid?.() ?? uid;
    if (uid !== me && uid !== 0) throw invalid(file, `it belongs to user ${uid}, not to the one who runs the server`);
    if ((mode & 0o077) !== 0)
      throw invalid(file, `other users can read it (chmod 600 "${file}", then: sluice admin reset)`);
    const parsed = schema.safeParse(JSON.parse(readFileSync(fd, "utf8")));
    if (!parsed.success) throw invalid(file, `${z.prettifyError(parsed.error)} (mend it, or: sluice admin reset)`);
    const { user, password, access_key, secret_key } = parsed.data;
    return { user, password, accessKey: access_key, secretKey: secret_key };
  } catch (error) {
    if (error instanceof SyntaxError) throw invalid(file, "it is no JSON (mend it, or: sluice admin reset)", error);
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** Written beside its place and renamed, so that a crash leaves the old file or the new one, whole. */
function writeAdmin(dataDir: string, admin: AdminCredentials): AdminCredentials {
  const temporary = join(dataDir, ".admin.json.new");
  rmSync(temporary, { force: true });
  const fd = openSync(temporary, "wx", 0o600);
  try {
    fchmodSync(fd, 0o600);
    const { user, password, accessKey, secretKey } = admin;
    writeSync(fd, `${JSON.stringify({ user, password, access_key: accessKey, secret_key: secretKey }, null, 2)}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, adminFile(dataDir));
  const folder = openSync(dirname(adminFile(dataDir)), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
  return admin;
}

function newAdmin(): AdminCredentials {
  return {
    user: "admin",
    password: random(SAFE, 24),
    accessKey: random(LETTERS + DIGITS, 20),
    secretKey: random(SAFE, 40),
  };
}

function random(alphabet: string, length: number): string {
  return Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join("");
}

function invalid(file: string, state: string, cause?: unknown): SluiceError {
  return new SluiceError("DATA_DIR_INVALID", `Cannot use "${file}": ${state}`, { cause });
}
