import { readFileSync } from "node:fs";

/** The package's version; read from package.json, which lies at the same depth above src/cli and dist/cli. */
export function packageVersion(): string {
  const { version }: { version: string } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  );
  return version;
}
