import type { Backend } from "./backend.ts";
import type { LocalBackendOptions } from "./drivers/local.ts";
import type { MockBackendOptions } from "./drivers/mock.ts";

export type BackendConfig =
  | ({ readonly driver: "local" } & LocalBackendOptions)
  | ({ readonly driver: "mock" } & MockBackendOptions);

/** Every driver joins here; a driver without a case does not compile. */
export async function openBackend(config: BackendConfig): Promise<Backend> {
  switch (config.driver) {
    case "local":
      return (await import("./drivers/local.ts")).localBackend(config);
    case "mock":
      return (await import("./drivers/mock.ts")).mockBackend(config);
  }
}
