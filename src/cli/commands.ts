import type { Command } from "./command.ts";

interface Entry {
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: Command }>;
}

/** Every command, in the order of `sluice --help`. A command's file is loaded when it is called. */
export const COMMANDS = {
  up: { summary: "Run the server, all in one process", load: () => import("./commands/up.ts") },
  demo: {
    summary: "See the main job happen, from a fresh server to results",
    load: () => import("./commands/demo.ts"),
  },
  apply: { summary: "Create or update the services of FDL files", load: () => import("./commands/apply.ts") },
  services: { summary: "List, show or remove services", load: () => import("./commands/services.ts") },
  put: { summary: "Upload files and folders", load: () => import("./commands/put.ts") },
  get: { summary: "Download objects and folders", load: () => import("./commands/get.ts") },
  ls: { summary: "List buckets or objects", load: () => import("./commands/ls.ts") },
  rm: { summary: "Remove objects", load: () => import("./commands/rm.ts") },
  mb: { summary: "Make buckets", load: () => import("./commands/mb.ts") },
  rb: { summary: "Remove buckets", load: () => import("./commands/rb.ts") },
  submit: { summary: "Call a service; its job runs later", load: () => import("./commands/submit.ts") },
  jobs: { summary: "List, show, wait for, cancel, retry or remove jobs", load: () => import("./commands/jobs.ts") },
  logs: { summary: "Show what a job's script wrote", load: () => import("./commands/logs.ts") },
  status: { summary: "Show capacity and queues", load: () => import("./commands/status.ts") },
  doctor: { summary: "Say what this machine can sandbox, and mend it", load: () => import("./commands/doctor.ts") },
  login: { summary: "Remember a server and its credentials", load: () => import("./commands/login.ts") },
  context: { summary: "List, choose or forget remembered servers", load: () => import("./commands/context.ts") },
  images: { summary: "List, pull or remove container images", load: () => import("./commands/images.ts") },
  store: { summary: "Check every stored byte, and mend what can be", load: () => import("./commands/store.ts") },
  backup: { summary: "Copy a running server's data", load: () => import("./commands/backup.ts") },
  restore: { summary: "Make a data directory from a backup", load: () => import("./commands/restore.ts") },
  admin: { summary: "Make new administrator credentials, offline", load: () => import("./commands/admin.ts") },
  version: { summary: "Print the version", load: () => import("./commands/version.ts") },
} as const satisfies Record<string, Entry>;

export type CommandName = keyof typeof COMMANDS;

/** True when `name` is a command. */
export const isCommand = (name: string): name is CommandName => Object.hasOwn(COMMANDS, name);
