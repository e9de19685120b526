import { join, resolve } from "node:path";
import { SluiceError } from "../../core/errors.ts";
import { defineCommand, expectArguments } from "../arguments.ts";
import { say, tell } from "../io.ts";
import { expectOffline } from "../running-server.ts";

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
    await expectOffline(data);
    const { resetAdmin } = await import("../../identity/admin-file.ts");
    const { user } = resetAdmin(data);
    say(io, `Made new credentials of "${user}": they are in ${join(data, "admin.json")}`);
    for (const name of OVERRIDES.filter((each) => io.env[each])) {
      tell(io, `Note: ${name} is set here; a server that starts with it uses that instead`);
    }
    return 0;
  },
});
