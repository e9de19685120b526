import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";

const at = (name: string): string => fileURLToPath(new URL(`../../../testing/${name}`, import.meta.url));

interface Seen {
  readonly networks: readonly string[];
  /** What each call got: from the machine itself, and from a sandbox. */
  readonly control: Readonly<Record<string, string>>;
  readonly inside: Readonly<Record<string, string>>;
  readonly none: string;
  readonly image: string;
  readonly changed: string;
  /** Names of senders to groups that listeners on the machine heard. */
  readonly heard: readonly string[];
  readonly groups: string;
  /** How many there were, as later jobs see it. */
  readonly connections: { readonly same: string; readonly other: string };
  /** Networks that were made to be ready, and then for the jobs. */
  readonly kept: { readonly made: number; readonly more: number };
  readonly many: readonly string[];
  readonly killed: string;
  readonly after: string;
  readonly left: number;
}

async function laboratory(): Promise<Seen> {
  const argv = [at("outbound-lab.sh"), process.execPath, at("outside.ts"), at("outbound-machine.ts")];
  const { stdout } = await promisify(execFile)("sh", argv, { timeout: 120_000, maxBuffer: 2 ** 20 });
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
}

/** In network namespaces of its own, so only root can. */
describe.runIf(process.geteuid?.() === 0)("network outbound", async () => {
  const seen = await laboratory();

  test("is given where its programs are", () => {
    expect(seen.networks).toContain("outbound");
  });

  test("reaches the world by IPv4, IPv6 and names, and private networks", () => {
    expect(seen.inside).toMatchObject({
      outside4: "outside",
      outside6: "outside",
      privateNetwork: "outside",
      name: "203.0.113.5",
      name6: "2001:db8:1::5",
    });
    expect(seen.image).toContain("nameserver");
    expect(seen.many).toEqual(Array(8).fill("outside"));
  });

  test.each([
    ...["own4", "own6", "ofDownDevice", "ofLoopback", "ofLoopbackNetwork", "localRoute", "ofLoopback6", "localRoute6"],
    ...["metadata", "linkLocal", "loopback", "loopback6"],
  ])("does not reach %s, which the machine itself does", (name) => {
    expect(seen.control[name]).toMatch(/^(machine|outside)$/);
    expect(seen.inside[name]).toMatch(/^refused/);
  });

  test.each(["own4", "own6", "metadata", "linkLocal"])("nor by the device: %s", (name) => {
    expect(seen.inside[`${name}tap0`]).toMatch(/^refused/);
  });

  test("does not lead to the machine by the helper's own addresses", () => {
    for (const name of ["helper", "helper6"]) expect(seen.inside[name]).toMatch(/^(refused|timeout)/);
  });

  test.each(["224.0.0.251", "239.1.2.3", "ff02::fb", "ff05::1:3"])(
    "is not heard by listeners of the group %s, as the machine itself is",
    (group) => {
      expect(seen.groups).toBe("");
      expect(seen.heard).toContain(`machine-${group}-by-device`);
      expect(seen.heard.filter((name) => name.startsWith("sandbox"))).toEqual([]);
    },
  );

  test("nobody finds connections of another tenant's jobs", () => {
    expect(seen.connections).toEqual({ same: "1", other: "0" });
  });

  test("is there before the job where a service asks to be kept ready", () => {
    expect(seen.kept).toEqual({ made: 2, more: 0 });
  });

  test("its rules cannot be changed from inside", () => {
    expect(seen.changed.match(/not permitted/g)).toHaveLength(2);
  });

  test("none reaches nothing", () => {
    expect(seen.none).toMatch(/^refused/);
  });

  test("a helper that dies ends the job, the next one gets another, and none is left", () => {
    expect(seen.killed).toContain("Cannot start a sandbox");
    expect(seen.after).toBe("outside");
    expect(seen.left).toBe(0);
  });
});
