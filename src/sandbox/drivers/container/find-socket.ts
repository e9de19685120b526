import { statSync } from "node:fs";

/** Sockets of an engine that this server may be able to use, the account's own first. */
export function engineSockets(env: NodeJS.ProcessEnv): string[] {
  const own = env.XDG_RUNTIME_DIR;
  return [
    ...(own === undefined ? [] : [`${own}/podman/podman.sock`, `${own}/docker.sock`]),
    "/run/podman/podman.sock",
    "/run/docker.sock",
    "/var/run/docker.sock",
  ];
}

/** The first that is there; null for none. */
export function findEngineSocket(env: NodeJS.ProcessEnv): string | null {
  return engineSockets(env).find((path) => statSync(path, { throwIfNoEntry: false })?.isSocket() === true) ?? null;
}
