import { expect, test } from "vitest";
import { isSluiceError } from "../core/errors.ts";
import { SandboxBench } from "./testing/sandbox-bench.ts";
import { sandboxContract } from "./testing/sandbox-contract.ts";

// The driver for container engines has its run in test/engines, where an engine is.
for (const driver of ["bubblewrap", "mock"] as const) sandboxContract(driver, () => SandboxBench.open(driver));

test("a network that a driver does not have is refused", async () => {
  const bench = await SandboxBench.open("bubblewrap");
  const { networks } = await bench.sandbox.probe();
  for (const network of ["outbound", "host"] as const) {
    const created = bench.sandbox.create(bench.spec(bench.workFolder(), { network }));
    if (networks.includes(network)) await (await created).destroy();
    else await expect(created).rejects.toSatisfy((error) => isSluiceError(error, "NETWORK_UNSUPPORTED"));
  }
  expect(networks).not.toContain("host");
  await bench.close();
});
