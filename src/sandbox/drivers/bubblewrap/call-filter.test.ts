import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SandboxBench } from "../../testing/sandbox-bench.ts";
import { CALL_NUMBERS } from "./call-filter/call-numbers.ts";
import { ERRNO } from "./call-filter/call-policy.ts";
import { FILTERED, type Filtered, verdictOf } from "./call-filter/filter-program.ts";

/** What real sandboxes answer. Numbers without a call are tried too, and ones that no kernel has yet. */
const processor = FILTERED.find((name) => name === process.arch);

describe.runIf(processor !== undefined)("system calls in a real sandbox", () => {
  let bench: SandboxBench;
  beforeAll(async () => {
    bench = await SandboxBench.open("bubblewrap");
  });
  afterAll(() => bench.close());

  const verdicts = [...Array(700).keys()].map(
    (number) => [number, verdictOf(number, processor as Filtered) ?? "ENOSYS"] as const,
  );
  const refused = verdicts.flatMap(([number, verdict]) =>
    typeof verdict === "string" && verdict !== "allow" ? [[number, ERRNO[verdict]] as const] : [],
  );

  test("every one that is not allowed is refused by the filter, with its own error", async () => {
    const numbers = refused.map(([number]) => number).join(",");
    const script = `perl -e 'for my $n (${numbers}) { my $r = syscall($n, -1, -1, -1, -1, -1); print "$n ", $r < 0 ? $! + 0 : "done", "\\n" }'`;
    const { out } = await bench.run(script);
    expect(out.trim().split("\n")).toEqual(refused.map(([number, errno]) => `${number} ${errno}`));
  });

  test("processes and threads are made as ever, namespaces are not", async () => {
    const clone = CALL_NUMBERS.find(([name]) => name === "clone")?.[process.arch === "x64" ? 1 : 2];
    const script = `perl -e 'my $child = fork; exit 3 if !$child; waitpid $child, 0; print $? >> 8, "\\n";
      print syscall(${clone}, 0x10000000, 0, 0, 0, 0) < 0 ? "refused $!\\n" : "made\\n"'
      python3 -c 'import threading; t = threading.Thread(target=lambda: print("thread")); t.start(); t.join()'`;
    expect((await bench.run(script)).out).toBe("3\nrefused Operation not permitted\nthread\n");
  });
});
