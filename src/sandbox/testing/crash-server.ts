/** A server that starts a sandbox, says `running`, and waits to be killed. Arguments: the driver's name, a folder, and for how
 *  many seconds its script sleeps. */
import { mkdtempSync } from "node:fs";
import { silentLog } from "../../lib/log.ts";
import { openSandbox } from "../open.ts";
import { ROOMY_LIMITS } from "./sandbox-bench.ts";

const [name = "", folder = "", nap = ""] = process.argv.slice(2);
const workFolder = mkdtempSync(`${folder}/work-`);
const sandbox = await openSandbox({ driver: "bubblewrap", name, privatePaths: [], log: silentLog });
const instance = await sandbox.create({
  id: "crash",
  root: { kind: "host" },
  workFolder,
  mounts: [{ kind: "folder", source: workFolder, target: "/work", readOnly: false }],
  workingDirectory: "/work",
  limits: ROOMY_LIMITS,
  network: "none",
  hostname: "crash",
  tenant: "test",
});
await instance.exec({
  argv: ["/bin/sh", "-c", `trap '' TERM HUP; echo running; sleep ${nap} & wait; wait`],
  env: { PATH: "/usr/bin:/bin" },
  separateStdout: false,
  onOutput: (chunk) => void process.stdout.write(chunk),
});
