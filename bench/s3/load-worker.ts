/** The client's process: takes one load, makes its connections and says that it is ready; on the word `go` it sends all requests as fast as
 *  the answers come and reports. Everything was signed before. */
import { bodyOf } from "./body.ts";
import { Connection } from "./exchange.ts";
import type { Load, LoadReport } from "./load.ts";

const ETAG = /\r\netag: *([^\r]+)/i;

async function run(load: Load, connections: readonly Connection[], body: Buffer | null): Promise<LoadReport> {
  const latenciesMs: number[] = [];
  const etags: string[] = [];
  let next = 0;
  const started = performance.now();
  const client = async (connection: Connection): Promise<void> => {
    for (let index = next++; index < load.heads.length; index = next++) {
      const before = performance.now();
      const answer = await connection.send(load.heads[index] ?? "", body);
      latenciesMs.push(performance.now() - before);
      if (answer.status !== load.status || answer.bytes !== load.answerBytes) {
        throw new Error(
          `Expected ${load.status} with ${load.answerBytes} bytes, got ${answer.bytes} bytes:\n${answer.head}`,
        );
      }
      if (load.wantEtags) etags[index] = ETAG.exec(answer.head)?.[1] ?? "";
    }
  };
  await Promise.all(connections.map(client));
  return { seconds: (performance.now() - started) / 1000, latenciesMs, etags };
}

process.once("message", async (load: Load) => {
  const body = load.bodyBytes === null ? null : bodyOf(load.bodyBytes);
  const connections = await Promise.all(Array.from({ length: load.clients }, () => Connection.open(load.port)));
  process.once("message", async () => {
    const report = await run(load, connections, body).catch((error: Error) => ({ failed: error.message }));
    for (const connection of connections) connection.close();
    process.send?.(report, () => process.disconnect());
  });
  process.send?.("ready");
});
