import type { BubblewrapOptions } from "./drivers/bubblewrap.ts";
import type { ContainerOptions } from "./drivers/container.ts";
import type { MockOptions } from "./drivers/mock.ts";
import type { Sandbox } from "./sandbox.ts";

/** Which driver, and its options. */
export type SandboxConfig =
  | ({ readonly driver: "bubblewrap" } & BubblewrapOptions)
  | ({ readonly driver: "container" } & ContainerOptions)
  | ({ readonly driver: "mock" } & MockOptions);

/** Every driver joins here; a driver without a case does not compile. Open it from the main thread, before the server opens files. */
export async function openSandbox(config: SandboxConfig): Promise<Sandbox> {
  switch (config.driver) {
    case "bubblewrap":
      return (await import("./drivers/bubblewrap.ts")).bubblewrapSandbox(config);
    case "container":
      return (await import("./drivers/container.ts")).containerSandbox(config);
    case "mock":
      return (await import("./drivers/mock.ts")).mockSandbox(config);
  }
}
