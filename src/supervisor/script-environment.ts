import { inputFileName } from "../core/input-name.ts";
import type { AttemptOrder } from "./attempt-host.ts";
import { SCRIPT_PATHS } from "./script-paths.ts";

/** A longer event is only in EVENT_FILE: one variable over 128 KiB makes the program unstartable (decision 4). */
const MAX_EVENT_VARIABLE_BYTES = 64 * 1024;

/** What a service's own variables may replace. */
const DEFAULTS: Readonly<Record<string, string>> = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LANG: "C.UTF-8",
  HOME: SCRIPT_PATHS.home,
  TMPDIR: SCRIPT_PATHS.tmp,
};

/** The whole environment of a script. Later ones win: defaults, the image's, the service's variables, its secrets, and what describes this attempt.
 *  @param node RESOURCE_ID: the machine that runs it
 *  @param image what the image sets */
export function scriptEnvironment(
  order: AttemptOrder,
  node: string,
  image: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const { spec } = order.revision;
  return {
    ...DEFAULTS,
    ...image,
    LOG_LEVEL: spec.logLevel,
    ...spec.variables,
    ...spec.secrets,
    ...attemptVariables(order, node),
    ...inputVariables(order),
  };
}

/** The input's path inside, or null when it is not staged. */
export function stagedInputPath(order: AttemptOrder): string | null {
  if (order.input === null || order.revision.spec.skipStageIn) return null;
  return `${SCRIPT_PATHS.input}/${inputFileName(order.input.name)}`;
}

function attemptVariables(order: AttemptOrder, node: string): Record<string, string> {
  const { job, event, revision, token } = order;
  const variables: Record<string, string> = {
    TMP_INPUT_DIR: SCRIPT_PATHS.input,
    TMP_OUTPUT_DIR: SCRIPT_PATHS.output,
    EVENT_FILE: SCRIPT_PATHS.event,
    EVENT_TIME: new Date(event.time).toISOString(),
    JOB_UUID: job.id,
    REQUEST_ID: job.id,
    RESOURCE_ID: node,
    OSCAR_SERVICE_NAME: revision.spec.name,
    OSCAR_SERVICE_TOKEN: token,
    OSCAR_SERVICE_BASE_PATH: `/system/services/${revision.spec.name}/exposed`,
  };
  if (Buffer.byteLength(event.payload) <= MAX_EVENT_VARIABLE_BYTES) variables.EVENT = event.payload;
  if (event.object !== null) variables.STORAGE_OBJECT_KEY = event.object.key;
  return variables;
}

function inputVariables(order: AttemptOrder): Record<string, string> {
  if (order.input === null) return {};
  const variables: Record<string, string> = { FILE_NAME: inputFileName(order.input.name) };
  const path = stagedInputPath(order);
  if (path !== null) {
    variables.INPUT_FILE_PATH = path;
    variables.INPUT_FILE = path;
  }
  return variables;
}
