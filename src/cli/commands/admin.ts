import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { SluiceError } from "../../core/errors.ts";
import { defineCommand, expectArguments } from "../arguments.ts";
import { say, tell } from "../io.ts";

const OVERRIDES = ["SLUICE_ADMIN_USER", "SLUICE_ADMIN_PASSWORD", "SLUICE_ACCESS_KEY", "SLUICE_SECRET_KEY"];

export const command = defineCommand({
  name: "admin",
  summary: "Make new administrator credentials, offline",
  usage: ["admin reset [--data DIR]"],
  description: [
    "Writes a new DIR/admin.json: password and S3 keys of before are worth nothing from the next start on. The server must not run.",
  ],
  options: { data: { type: "string", value: "DIR", help: "The data directory (default ./sluice-data)" } },
  examples: ["sluice admin reset", "sluice admin reset --data /srv/sluice"],
  async run({ flags, positionals }, io) {
    const [verb] = expectArguments("admin reset", positionals, 1, 1);
    if (verb !== "reset")
      throw new SluiceError("USAGE", `Cannot run "admin ${verb}": say reset (see: sluice admin --help)`);
    const data = resolve(io.cwd, flags.data ?? "sluice-data");
    const { user } = await resetOffline(data);
    say(io, `Made new credentials of "${user}": they are in ${join(data, "admin.json")}`);
    for (const name of OVERRIDES.filter((each) => io.env[each])) {
      tell(io, `Note: ${name} is set here; a server that starts with it uses that instead`);
    }
    return 0;
  },
});

/** Under the data directory's own lock, so that no server can be running or starting on it. */
async function resetOffline(data: string): Promise<{ readonly user: string }> {
  if (!existsSync(join(data, "VERSION"))) {
    throw new SluiceError(
      "DATA_DIR_INVALID",
      `Cannot use "${data}": it is no data directory of Sluice (name one with --data DIR)`,
    );
  }
  const [{ resetAdmin }, { acquireDirLock }] = await Promise.all([
    import("../../identity/admin-file.ts"),
    import("../../state/dir-lock.ts"),
  ]);
  const lock = await acquireDirLock(data, 0);
  try {
    return resetAdmin(data);
  } finally {
    lock.release();
  }
}
