import { arch } from "node:os";
import type { Principal } from "../../core/principal.ts";
import { json } from "../answers.ts";
import type { GatewayDeps } from "../deps.ts";
import { type Route, route } from "../route.ts";
import { backupAnswer, backupBody, type Config, config, type Info, info, status } from "../schemas/system.ts";
import { anyThing } from "../subjects.ts";
import { statusView } from "../views/status-view.ts";

const TAG = "system";
const READ = { tag: TAG, access: { kind: "action", action: "system.read" }, subject: anyThing("system") } as const;

export const systemRoutes: readonly Route[] = [
  route({
    ...READ,
    id: "getConfig",
    method: "GET",
    path: "/system/config",
    summary: "What a client needs to know of this server: its S3 address with the caller's keys",
    errors: "oscar",
    answers: { 200: { description: "The configuration", schema: config } },
    handle: async (deps, { by }) => json(await configView(deps, by)),
  }),
  route({
    ...READ,
    id: "getInfo",
    method: "GET",
    path: "/system/info",
    summary: "Version and machine",
    errors: "oscar",
    answers: { 200: { description: "The version", schema: info } },
    handle: async ({ facts }) => json(infoView(facts.version, facts.gitCommit)),
  }),
  route({
    ...READ,
    id: "getStatus",
    method: "GET",
    path: "/system/status",
    summary: "Workers, what is reserved of them, and queues",
    errors: "oscar",
    answers: { 200: { description: "The status", schema: status } },
    handle: async (deps, { by }) => json(await readStatus(deps, by)),
  }),
  route({
    id: "backup",
    method: "POST",
    path: "/system/backup",
    tag: TAG,
    summary: "Copy database and blobs to a folder of the server's machine while everything runs",
    errors: "problem",
    access: { kind: "action", action: "system.admin" },
    subject: anyThing("system"),
    body: backupBody,
    answers: { 200: { description: "Made, and complete", schema: backupAnswer } },
    async handle({ backup }, { body }) {
      await backup(body.target);
      return json({ target: body.target });
    },
  }),
];

async function configView({ facts, s3KeysOf, dispatcher }: GatewayDeps, by: Principal): Promise<Config> {
  const keys = await s3KeysOf(by);
  return {
    config: {
      name: "sluice",
      namespace: "",
      services_namespace: "",
      controller_service_account: "",
      gpu_available: dispatcher.view().workers.some(({ capacity }) => (capacity.gpu ?? 0) > 0),
      interLink_available: false,
      serverless_backend: "",
      yunikorn_enable: false,
      kueue_enable: false,
      volume_enable: false,
      oidc_groups: [],
      minio_quota_enabled: false,
    },
    minio_provider: {
      endpoint: facts.s3Url,
      verify: true,
      access_key: keys?.accessKey ?? "",
      secret_key: keys?.secretKey ?? "",
      region: facts.region,
    },
    allowed_image_repositories: [],
  };
}

/** OSCAR's fields; what Kubernetes and a serverless engine would say is empty. */
const infoView = (version: string, gitCommit: string): Info => ({
  version,
  git_commit: gitCommit,
  architecture: arch(),
  kubernetes_version: "",
  serverless_backend: { name: "", version: "" },
});

async function readStatus(deps: GatewayDeps, by: Principal) {
  const { state, dispatcher, facts, clock } = deps;
  const [counts, sandbox, buckets, objectCount, damagedBlobs] = await Promise.all([
    state.counts(),
    deps.sandboxReport(),
    state.buckets(null),
    deps.objectCount(),
    state.damagedCount(),
  ]);
  return statusView({
    by,
    version: facts.version,
    view: dispatcher.view(),
    counts,
    sandbox,
    bucketCount: buckets.length,
    objectCount,
    damagedBlobs,
    now: clock.now(),
    uptimeSeconds: process.uptime(),
  });
}
