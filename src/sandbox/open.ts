import type { BubblewrapOptions } from "./drivers/bubblewrap.ts";
import type { MockOptions } from "./drivers/mock.ts";
import type { Sandbox } from "./sandbox.ts";

/** Which driver, and its options. */
export type SandboxConfig =
  | ({ readonly driver: "bubblewrap" } & BubblewrapOptions)
  | ({ readonly driver: "mock" } & MockOptions);

/** Every driver joins here; a driver without a case does not compile. Open it from the main thread, before the server opens files. */
export async function openSandbox(config: SandboxConfig): Promise<Sandbox> {
  switch (config.driver) {
    case "bubblewrap":
      return (await import("./drivers/bubblewrap.ts")).bubblewrapSandbox(config);
    case "mock":
      return (await import("./drivers/mock.ts")).mockSandbox(config);
  }
}
