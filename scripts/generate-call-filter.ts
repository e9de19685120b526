/** Makes the filters of system calls out of the policy: `npm run generate:call-filter`. */
import { writeFileSync } from "node:fs";
import { FILTERED, filterBytes, filterProgram } from "../src/sandbox/drivers/bubblewrap/call-filter/filter-program.ts";

const FILE = new URL("../src/sandbox/drivers/bubblewrap/call-filter/filters.ts", import.meta.url);

const filters = FILTERED.map((processor) => {
  const program = filterProgram(processor);
  console.log(`${processor}: ${program.length} instructions`);
  return `  ${processor}: "${filterBytes(program).toString("base64")}",`;
});
writeFileSync(
  FILE,
  `/** Made by \`npm run generate:call-filter\` from call-policy.ts and call-numbers.ts: programs of \`struct sock_filter\`, in base64. */
export const FILTERS: Readonly<Partial<Record<NodeJS.Architecture, string>>> = {
${filters.join("\n")}
};
`,
);
