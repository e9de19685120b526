import { createLog } from "../../lib/log.ts";
import { boundYoungGeneration } from "../../lib/young-generation.ts";
import { defineCommand, expectArguments } from "../arguments.ts";
import { say } from "../io.ts";
import { settingsSignal } from "../settings-signal.ts";
import { stopSignal } from "../stop-signal.ts";
import { packageVersion } from "../version.ts";

export const command = defineCommand({
  name: "up",
  summary: "Run the server, all in one process",
  usage: ["up [--data DIR] [--host HOST] [--port PORT] [--s3-port PORT] [--config FILE]"],
  description: [
    "Prints one line when it is ready and stays in the foreground; its log is JSON lines on stderr. Ctrl-C or SIGTERM lets running jobs end (--drain), a second one ends it at once. The first start writes DIR/admin.json with the administrator's credentials.",
  ],
  options: {
    data: { type: "string", value: "DIR", help: "The data directory (default ./sluice-data)" },
    host: { type: "string", value: "HOST", help: "Address to listen on (default 127.0.0.1)" },
    port: { type: "string", value: "PORT", help: "Of the API (default 8080; 0 picks a free one)" },
    "s3-port": { type: "string", value: "PORT", help: "Of the object store (default 9000; 0 picks a free one)" },
    "public-url": { type: "string", value: "URL", help: "The API's address as clients see it" },
    "s3-public-url": { type: "string", value: "URL", help: "The object store's address as clients see it" },
    "s3-domain": { type: "string", value: "NAME", help: "Each bucket has a host name of its own below this one" },
    config: { type: "string", value: "FILE", help: "A configuration file" },
    drain: { type: "string", value: "TIME", help: "How long a stop waits for running jobs (default 30s)" },
    json: { type: "boolean", help: "Print the line as JSON" },
  },
  examples: [
    "sluice up",
    "sluice up --data /srv/sluice --host 0.0.0.0 --public-url https://sluice.example.org",
    "sluice up --port 0 --s3-port 0 --json",
  ],
  async run({ flags, positionals }, io) {
    expectArguments("up", positionals, 0, 0);
    const stop = stopSignal();
    const [{ loadConfig }, { startServer }] = await Promise.all([
      import("../../config/load.ts"),
      import("../../main.ts"),
    ]);
    const read = () => loadConfig({ flags, env: io.env, cwd: io.cwd });
    const config = await read();
    let { logLevel } = config;
    const log = createLog(() => logLevel);
    const server = await startServer(config, { log, version: packageVersion() });
    const take = async (now: typeof config): Promise<void> => {
      await server.renewTls(now);
      logLevel = now.logLevel;
      log.info("read log level and certificates again", { log_level: logLevel });
    };
    const hangup = settingsSignal({ read, take, log });
    boundYoungGeneration();
    say(io, flags.json === true ? JSON.stringify(addresses(server)) : readyLine(server));
    log.info("stopping", { signal: await stop.first });
    await server.close();
    hangup.release();
    stop.release();
    return 0;
  },
});

interface Addresses {
  readonly api: string;
  readonly s3: string;
  readonly dataDir: string;
}

const addresses = ({ api, s3, dataDir }: Addresses): object => ({ api, s3, data: dataDir });

const readyLine = ({ api, s3, dataDir }: Addresses): string =>
  `Sluice is ready: API ${api}, S3 ${s3}, data and credentials in ${dataDir} (Ctrl-C stops it)`;
