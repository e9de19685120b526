import { enforced, missing } from "../../guards.ts";
import type { Guard, SandboxLimits } from "../../sandbox.ts";
import type { DoctorOptions } from "./doctor.ts";
import { runTrial, type Trial } from "./trial.ts";

const MEBIBYTE = 1024 * 1024;

/** Folders of the machine that the host image must not show. */
const HIDDEN = "/home /root /run /var /srv /mnt /media /sys /boot";

/** Breaks every limit once, in sandboxes side by side. Takes about a second. */
export async function testGuards(options: DoctorOptions): Promise<Guard[]> {
  const counted = "version" in options.cgroups;
  const trial = (script: string, limits: Partial<SandboxLimits> = {}): Promise<Trial> =>
    runTrial(options.create, options.folder, script, { limits });
  const tests: Promise<Guard>[] = [
    trial("head -c 300000000 /dev/zero | tail -c 290000000 >/dev/null", { memoryBytes: 64 * MEBIBYTE }).then((seen) =>
      stoppedBy("memory", seen),
    ),
    trial("head -c 8000000 /dev/zero >large", { diskBytes: MEBIBYTE }).then((seen) => stoppedBy("disk", seen)),
    trial("for i in 0 1 2 3 4 5 6 7 8 9; do for j in 0 1 2 3 4 5 6 7 8 9; do : >f$i$j; done; done", { files: 50 }).then(
      (seen) => stoppedBy("files", seen),
    ),
    trial(
      `for path in ${HIDDEN}; do [ -e $path ] && echo $path; done; { : >/usr/sluice-probe; } 2>/dev/null && echo wrote /usr; true`,
    ).then((seen) => quiet("host-root", seen)),
    trial("while IFS=: read -r name rest; do echo $name; done </proc/net/dev").then(onlyLoopback),
  ];
  if (counted) {
    tests.push(
      trial("i=0; while [ $i -lt 40 ]; do sleep 2 & i=$((i+1)); done", { pids: 16 }).then((seen) =>
        stoppedBy("pids", seen),
      ),
      trial("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done", { cpuMilli: 200, cpuHard: true }).then(slowed),
    );
  }
  return await Promise.all(tests);
}

function stoppedBy(limit: "memory" | "disk" | "files" | "pids", { result, error }: Trial): Guard {
  if (result?.limit === limit) return enforced(limit);
  return missing(
    limit,
    `A sandbox was not stopped by its limit (${result === null ? error : JSON.stringify(result)})`,
    "",
  );
}

function quiet(name: string, { result, output, error }: Trial): Guard {
  const said = output.split("\n").filter((line) => line.startsWith("/") || line.startsWith("wrote"));
  if (result !== null && said.length === 0) return enforced(name);
  return missing(name, `A sandbox reached ${result === null ? error : said.join(", ")}`, "");
}

function onlyLoopback({ result, output, error }: Trial): Guard {
  const devices = output
    .split("\n")
    .slice(2)
    .filter((name) => name.trim() !== "" && name.trim() !== "lo");
  if (result !== null && devices.length === 0) return enforced("network-none");
  return missing("network-none", `A sandbox without network saw ${result === null ? error : devices.join(", ")}`, "");
}

/** With a fifth of a core a busy loop takes five times its processor time; half is far outside of what noise explains. */
function slowed({ result, error }: Trial): Guard {
  const share = (result?.usage.cpuMs ?? Number.POSITIVE_INFINITY) / (result?.usage.wallMs ?? 1);
  if (share < 0.5) return enforced("cpu");
  return missing(
    "cpu",
    `A sandbox used ${result === null ? error : `${share.toFixed(2)} of a core`} with a quota of 0.2`,
    "",
  );
}
