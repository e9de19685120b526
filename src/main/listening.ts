import { SluiceError } from "../core/errors.ts";
import { errno } from "../lib/errno.ts";

/** Where a server is to listen, and what says so. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  readonly flag: string;
}

/** @throws SluiceError CONFIG_INVALID for an address that cannot be had, with what to change */
export async function listening<T>({ host, port, flag }: ListenAddress, begun: Promise<T>): Promise<T> {
  try {
    return await begun;
  } catch (error) {
    const why = REASONS[errno(error)];
    if (why === undefined) throw error;
    const cure = why.isOfPort ? `choose another with ${flag}` : "choose another with --host";
    throw new SluiceError("CONFIG_INVALID", `Cannot listen on ${host}:${port}: ${why.text} (${cure})`, {
      cause: error,
    });
  }
}

const REASONS: Readonly<Record<string, { readonly text: string; readonly isOfPort: boolean }>> = {
  EADDRINUSE: { text: "another program does", isOfPort: true },
  EACCES: { text: "this user may not", isOfPort: true },
  EADDRNOTAVAIL: { text: "this machine has no such address", isOfPort: false },
  ENOTFOUND: { text: "no machine has that name", isOfPort: false },
  EAI_AGAIN: { text: "the name cannot be looked up now", isOfPort: false },
};
