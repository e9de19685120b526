import { z } from "zod";
import { MAX_TIMER_MS } from "../lib/duration.ts";
import {
  bytes,
  choice,
  duration,
  hostNames,
  hostsWithPorts,
  integer,
  listenHost,
  networks,
  optionalBytes,
  optionalCpu,
  optionalDuration,
  optionalInteger,
  optionalText,
  optionalUrl,
  pairs,
  secret,
  sharedPaths,
  text,
  words,
  yesNo,
} from "./field.ts";

const MIB = 1024 ** 2;
/** Ten years: longer is a slip. */
const MAX_KEEP_MS = 3650 * 86_400_000;

function section<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape).prefault({} as z.input<z.ZodObject<Shape>>);
}

/** Every field of the configuration with its default. `docs/reference/config.md` shows it; a test holds both together. */
export const CONFIG_SCHEMA = z.strictObject({
  data: text(
    "The data directory, on a local disk; a relative path counts from where the server is started",
    "./sluice-data",
  ),
  blobs_dir: optionalText(
    "Where the bytes of objects lie instead of in the data directory; may be on a network file system. Reachable for the sandboxes' users",
  ),
  host: listenHost("Where both ports listen", "127.0.0.1"),
  port: integer("Port of the API; 0 picks a free one", 8080, 0, 65_535),
  s3_port: integer("Port of the object store; 0 picks a free one", 9000, 0, 65_535),
  public_url: optionalUrl("The API's address as clients see it: its host name is answered, and links hold it"),
  s3_public_url: optionalUrl("The object store's address as clients see it"),
  s3_domain: hostNames(
    "Domains below which each bucket has a host name of its own, `BUCKET.DOMAIN`; the domain itself is answered too",
  ),
  tls: section({
    cert: optionalText(
      "Certificate chain of the API's port, a PEM file; with it the port speaks TLS; read again at SIGHUP",
    ),
    key: optionalText("Its private key, a PEM file"),
  }),
  s3_tls: section({
    cert: optionalText("Certificate chain of the object store's port, as `tls.cert`"),
    key: optionalText("Its private key, a PEM file"),
  }),
  trusted_proxies: networks("Proxies whose X-Forwarded-For and X-Forwarded-Proto headers are believed"),
  log_level: choice(
    "Least weight of the server's own log lines; read again at SIGHUP",
    ["debug", "info", "warn", "error"],
    "info",
  ),
  drain: duration(
    "How long a stop waits for running jobs before it ends them and queues them again",
    "30s",
    0,
    MAX_TIMER_MS,
  ),
  metrics_public: yesNo("Answer /metrics without credentials", false),
  allow_host_network: yesNo(
    "Let services ask for `network: host`, and so reach everything this machine reaches",
    false,
  ),
  local: section({
    cpu: optionalCpu("What jobs on this machine may reserve together", "all cores that the server may use"),
    memory: optionalBytes(
      "What jobs on this machine may reserve together",
      "80 % of the machine's or container's memory",
      16 * MIB,
    ),
    disk: optionalBytes(
      "What jobs on this machine may reserve together",
      "the data directory's file system without what is kept free",
      MIB,
    ),
    slots: optionalInteger(
      "Most jobs at once on this machine, whatever they reserve",
      "three for each core: while the files of one job are made durable, and the namespaces of another, a third computes",
      1,
      65_536,
    ),
  }),
  slots: section({
    uid_base: integer(
      "First of the user ids that sandboxes run as when the server is root",
      200_000,
      1000,
      2_000_000_000,
    ),
    count: integer("How many of these ids there are: one for each running sandbox", 256, 1, 65_536),
    gid: integer("The group that these users share", 200_000, 1000, 2_000_000_000),
  }),
  sandbox: section({
    driver: choice(
      "What isolates jobs: bubblewrap, or containers of Docker or Podman; `mock` runs nothing and is for tests",
      ["bubblewrap", "container", "mock"],
      "bubblewrap",
    ),
    idle_timeout: duration(
      "What is ready for a next job and not used vanishes after this time",
      "10m",
      1000,
      MAX_TIMER_MS,
    ),
    engine_socket: optionalText(
      "Unix socket of the container engine; without it the first of Podman's and Docker's usual ones that is there",
    ),
    engine_network: optionalText(
      "A network of the container engine for scripts with `network: outbound`, from which nobody reaches this machine: see to that yourself. Without it Podman gives one that Sluice closes off, and Docker none",
    ),
  }),
  host_image: section({
    extra_paths: sharedPaths("What scripts of `image: host` see, read-only, beyond the allow-list of programs"),
  }),
  images: section({
    max_size: optionalBytes(
      "What the unpacked images may take of the disk; beyond it those of least use are removed",
      "a quarter of the file system",
      64 * MIB,
    ),
    plain_http: hostsWithPorts(
      "Registries that speak plain HTTP, and whose addresses anybody may name whatever they are. Loopback is for the administrator in any case",
    ),
    private_networks: yesNo(
      "Let every user name registries in private networks; the administrator may in any case",
      false,
    ),
    mirrors: pairs("Hosts that are asked before a registry, without credentials: `docker.io=mirror.lab:5000`", "HOST"),
    docker_config: optionalText(
      "A Docker config file with the registry credentials of the administrator's own services; read when it is needed",
    ),
    pull_secrets: pairs(
      "Docker config files that services may name in `image_pull_secrets`, by the name given here",
      "PATH",
    ),
    pull_secret_users: pairs(
      "Who may name one of them, a line each: `lab=ada`. One that is in no line is for everybody; the administrator may name any",
      "USER",
    ),
    credential_helpers: words(
      "Helpers that these files may call: `NAME` for the program docker-credential-NAME. No other is ever run",
    ),
    folders: sharedPaths(
      "Where archives and layouts lie that any user may name with `image: file:PATH`; the administrator may name any",
    ),
  }),
  timeouts: section({
    default: optionalDuration(
      "Wall clock of services that give no `timeout`",
      "`timeouts.max`, or no limit",
      1,
      MAX_TIMER_MS,
    ),
    max: optionalDuration("Longest `timeout` that a service may ask for", "no limit", 1, MAX_TIMER_MS),
    sync: duration("Longest wait of a synchronous call", "300s", 1000, MAX_TIMER_MS),
  }),
  jobs: section({
    keep: duration("How long finished jobs and their logs are kept", "30d", 60_000, MAX_KEEP_MS),
  }),
  changes: section({
    keep: duration("How long the change log is kept, for watchers that come back", "7d", 60_000, MAX_KEEP_MS),
  }),
  store: section({
    inline_bytes: bytes("Objects up to this size lie in the database, larger ones in files; at most 1Mi", "64Ki", 0),
    scrub: duration(
      "How often every blob is read in the background, slowly, to find damage; 0 never",
      "30d",
      0,
      MAX_KEEP_MS,
    ),
    keep_free: optionalBytes("Room that uploads leave free on the file system", "5 % of it, at least 1Gi", 0),
  }),
  logs: section({
    max_bytes: bytes("Head and tail that are kept of one job's log, together", "64Mi", 64 * 1024),
  }),
  limits: section({
    pids: integer("Most processes and threads of one job", 2048, 16, 4_194_304),
    files: integer("Most files of one job, folders included", 100_000, 16, 100_000_000),
    event_bytes: bytes("Largest event body that a call may bring", "64Mi", 1024),
  }),
  admin: section({
    user: optionalText("Administrator's name; from the environment alone, over DIR/admin.json"),
    password: secret("Administrator's password; from the environment alone", 8),
    access_key: optionalText("Administrator's S3 access key; from the environment alone"),
    secret_key: secret("Administrator's S3 secret key; from the environment alone", 8),
  }),
});

export type WrittenConfig = z.output<typeof CONFIG_SCHEMA>;
