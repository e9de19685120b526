import { statSync } from "node:fs";

const DOCKER = "/var/run/docker.sock";

/** The socket of the engine that this account can use: the first that is there of its own ones, Podman's and Docker's; Docker's where none is. */
export function findEngineSocket(env: NodeJS.ProcessEnv): string {
  const own = env.XDG_RUNTIME_DIR;
  const usual = [
    ...(own === undefined ? [] : [`${own}/podman/podman.sock`, `${own}/docker.sock`]),
    "/run/podman/podman.sock",
    DOCKER,
  ];
  return usual.find((path) => statSync(path, { throwIfNoEntry: false })?.isSocket() === true) ?? DOCKER;
}
