import { enforced, missing } from "../../../guards.ts";
import type { Guard } from "../../../sandbox.ts";
import type { DoctorOptions } from "../doctor.ts";
import { diagnose } from "../failure.ts";
import { runTrial } from "../trial.ts";

/** A sandbox with an outbound network has a device and a way out. That the way leads somewhere cannot be tried: the machine may have no network itself. */
const SCRIPT = `while read -r device destination rest; do
  [ "$destination" = 00000000 ] && echo "$device"
done </proc/net/route; true`;

export async function testOutbound({ create, folder, outbound }: DoctorOptions): Promise<Guard> {
  if ("missing" in outbound) {
    const names = outbound.missing.join(", ");
    return missing("network-outbound", `${names} is not installed`, "apt-get install slirp4netns iproute2 util-linux");
  }
  const { result, output, error } = await runTrial(create, folder, SCRIPT, { network: "outbound" });
  if (result?.exitCode === 0 && output.includes("tap0")) return enforced("network-outbound");
  const { why, mend } = diagnose(result === null ? error : output);
  return missing("network-outbound", why, mend === "" ? "may everybody open /dev/net/tun here?" : mend);
}
