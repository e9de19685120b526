import { stat } from "node:fs/promises";
import { join } from "node:path";
import { SluiceError } from "../core/errors.ts";
import { readPrivate } from "./private-file.ts";

/** For commands that change a data directory without its server. @throws SluiceError DATA_DIR_INVALID when there is none, DATA_DIR_LOCKED while a server
 *  runs on it */
export async function expectOffline(data: string): Promise<void> {
  const facts = await stat(join(data, "VERSION")).catch(() => null);
  if (facts === null) {
    throw new SluiceError(
      "DATA_DIR_INVALID",
      `Cannot use "${data}": it is no data directory of Sluice (name one with --data DIR)`,
    );
  }
  const text = await readPrivate(join(data, "server.json"));
  const { pid }: { pid?: number } = text === null ? {} : JSON.parse(text);
  if (pid === undefined || !isAlive(pid)) return;
  throw new SluiceError(
    "DATA_DIR_LOCKED",
    `Cannot change "${data}": the server with process id ${pid} runs on it (stop it first: kill ${pid})`,
  );
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
