import type { Config } from "../config/config.ts";
import type { Log } from "../lib/log.ts";
import { readTlsKeys, type TlsKeys } from "../lib/port-server.ts";

/** Of each port; null where it speaks plain HTTP. */
export interface PortKeys {
  readonly api: TlsKeys | null;
  readonly s3: TlsKeys | null;
}

/** What takes a port's new keys. */
export interface RenewablePorts {
  api(keys: TlsKeys): void;
  s3(keys: TlsKeys): void;
}

/** @throws SluiceError CONFIG_INVALID */
export async function readPortKeys({ api, s3 }: Config): Promise<PortKeys> {
  const [ofApi, ofS3] = await Promise.all([api, s3].map(({ tls }) => (tls === null ? null : readTlsKeys(tls))));
  return { api: ofApi ?? null, s3: ofS3 ?? null };
}

/** Gives new keys to the ports that had some at the start. A port that would begin or cease to speak TLS stays as it is until a restart, which is
 *  said. @throws SluiceError CONFIG_INVALID, and then nothing has changed */
export async function renewPortKeys(atStart: PortKeys, config: Config, ports: RenewablePorts, log: Log): Promise<void> {
  const now = await readPortKeys(config);
  for (const port of ["api", "s3"] as const) {
    const keys = now[port];
    if ((keys === null) !== (atStart[port] === null)) log.warn("TLS begins or ends on a port at a restart", { port });
    else if (keys !== null) ports[port](keys);
  }
}
