import type { Client } from "../client/client.ts";
import type { Context } from "./contexts.ts";
import type { Io } from "./io.ts";
import type { ServerFlags } from "./server-options.ts";
import { findTarget, type Target } from "./target.ts";

export interface Connection {
  readonly target: Target;
  readonly client: Client;
}

/** A client of the server that flags, environment, contexts or the data directory name. Sends nothing yet.
 *  @throws SluiceError as `findTarget` does */
export async function connect(flags: ServerFlags, io: Io): Promise<Connection> {
  const target = await findTarget(flags, io);
  return { target, client: await clientOf(target) };
}

/** A client of one server. Sends nothing yet. */
export async function clientOf({ endpoint, credentials }: Context): Promise<Client> {
  const { createClient } = await import("../client/client.ts");
  return createClient({ endpoint, credentials });
}
