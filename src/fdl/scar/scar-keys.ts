import type { KeyRow, ValueType } from "../key-row.ts";
import { LOG_LEVEL, NAME_RULE } from "../service-keys.ts";

/** What SCAR's files say of a function on AWS Lambda and Batch. Rows with the effect `aws` mean nothing on any other machine.
 *  @see https://scar.readthedocs.io/en/latest/ */

const TEXT: ValueType = { is: "text" };
const INTEGER: ValueType = { is: "integer" };
const BOOLEAN: ValueType = { is: "boolean" };
export const DEFAULT_LAMBDA_MIB = 512;
export const DEFAULT_BATCH_MIB = 1024;

/** A row that says something of the service here too. */
function acts(
  key: string,
  type: ValueType,
  to: string,
  means: string,
  more: Pick<KeyRow, "default" | "required"> = {},
): KeyRow {
  return { key, type, ...more, dialect: "scar", effect: "acts", to, means };
}

function ofAws(key: string, means: string): KeyRow {
  return { key, type: { is: "any" }, dialect: "scar", effect: "aws", to: "-", means };
}

/** Rows that both dialects have. */
const FUNCTION_KEYS: readonly KeyRow[] = [
  acts("memory", INTEGER, "memory", "MiB of one job", { default: DEFAULT_LAMBDA_MIB }),
  acts(
    "execution_mode",
    { is: "choice", of: ["lambda", "lambda-batch", "batch"] },
    "memory, cpu, enable_gpu, timeout",
    "whose limits count: Lambda's memory and timeout, or Batch's memory, vCPUs and GPU without a timeout; `lambda-batch` has Batch's, and the larger memory",
    { default: "lambda" },
  ),
  acts("log_level", LOG_LEVEL, "log_level", "what the script finds in LOG_LEVEL", { default: "INFO" }),
  acts(
    "init_script",
    TEXT,
    "script",
    "the path of the script beside the file. Without one the image's own program runs",
  ),
  acts("run_script", TEXT, "script", "the same, where there is no `init_script`"),
  acts(
    "preheat",
    BOOLEAN,
    "image_prefetch, synchronous.min_scale",
    "`true` pulls the image when the service is applied, and keeps one sandbox ready",
    { default: false },
  ),
  ofAws("description", "a sentence for AWS's console"),
  ofAws("layers", "layers of the Lambda function"),
];

export const AWS_FUNCTION_KEYS: readonly KeyRow[] = [
  acts("lambda", { is: "section", section: "lambda" }, "the service", "the function itself", { required: true }),
  acts(
    "batch",
    { is: "section", section: "batch" },
    "cpu, memory, enable_gpu",
    "counts with `execution_mode: batch` and `lambda-batch`",
    { default: {} },
  ),
  ofAws("iam", "the role that the function has on AWS"),
  ofAws("api_gateway", "a public HTTP address; here `POST /job/NAME` is there for every service"),
  ofAws("cloudwatch", "how long AWS keeps logs; here `logs` of the server's configuration says so"),
  ofAws("ecr", "AWS's registry for images that SCAR builds"),
];

export const LAMBDA_KEYS: readonly KeyRow[] = [
  acts("name", TEXT, "name", NAME_RULE, { required: true }),
  ...FUNCTION_KEYS,
  acts("timeout", INTEGER, "timeout", "seconds of one attempt; without it the server's own, not AWS's 300"),
  acts(
    "container",
    { is: "section", section: "container" },
    "image, environment",
    "the image, which must be named, and its variables",
    { default: {} },
  ),
  acts(
    "input",
    { is: "sections", section: "input" },
    "input",
    "as of a service, but a bucket alone is the whole bucket, and `s3` is the store of this server",
    { default: [] },
  ),
  acts("output", { is: "sections", section: "output" }, "output", "the same", { default: [] }),
  ofAws("environment", "variables of the Lambda function, not of the container"),
  ofAws("boto_profile", "the AWS account"),
  ofAws("region", "the AWS region"),
  ofAws("runtime", "Lambda's own"),
  ofAws("architectures", "Lambda's processors; here images are of the machine's"),
  ofAws("vpc", "a network on AWS"),
  ofAws("file_system", "a file system on AWS"),
  ofAws("deployment", "how SCAR uploads the function"),
  ofAws("supervisor", "the version of the faas-supervisor"),
  ofAws("asynchronous", "how SCAR calls the function"),
];

/** In a container of today's files, and in a function of the first ones. */
const IMAGE_KEYS: readonly KeyRow[] = [
  acts("image", TEXT, "image", "an OCI image"),
  acts("image_file", TEXT, "image", "an archive of `docker save` on the server, as `image: file:PATH`"),
];

export const CONTAINER_KEYS: readonly KeyRow[] = [
  ...IMAGE_KEYS,
  acts("environment", { is: "section", section: "environment" }, "environment", "variables of the script", {
    default: {},
  }),
  ofAws("timeout_threshold", "what Lambda's time leaves for uploads, which take none of the script's here"),
  ofAws('timeout_threshold"', "the same, as SCAR's own example has it"),
  ofAws("alpine", "a musl build of the supervisor; nothing of ours runs inside the image"),
  ofAws("create_image", "SCAR builds an image with its supervisor"),
];

export const BATCH_KEYS: readonly KeyRow[] = [
  acts("vcpus", INTEGER, "cpu", "cores of one job", { default: 1 }),
  acts("memory", INTEGER, "memory", "MiB of one job", { default: DEFAULT_BATCH_MIB }),
  acts("enable_gpu", BOOLEAN, "enable_gpu", "one GPU for each job", { default: false }),
  ofAws("boto_profile", "the AWS account"),
  ofAws("region", "the AWS region"),
  ofAws("service_role", "the role that Batch has on AWS"),
  ofAws("environment", "variables of the Batch job besides the container's"),
  ofAws("compute_resources", "the machines that Batch starts"),
  ofAws("multi_node_parallel", "jobs on several machines at once"),
];

/** SCAR's first files: `functions` holds them by their names. */
export const SCAR_FUNCTION_KEYS: readonly KeyRow[] = [
  ...IMAGE_KEYS,
  ...FUNCTION_KEYS,
  acts("time", INTEGER, "timeout", "seconds of one attempt"),
  acts("s3", { is: "section", section: "scar s3" }, "input, output", "where files come from and go to", {
    default: {},
  }),
  acts("environment", { is: "any" }, "environment", "variables of the script: a map, or a list of `NAME=value`"),
  acts("batch_vcpus", INTEGER, "cpu", "cores of one job, with `execution_mode: batch` and `lambda-batch`", {
    default: 1,
  }),
  acts("batch_memory", INTEGER, "memory", "MiB of one job, likewise", { default: DEFAULT_BATCH_MIB }),
  acts("enable_gpu", BOOLEAN, "enable_gpu", "one GPU for each job, likewise", { default: false }),
  ofAws("lambda_environment", "variables of the Lambda function, not of the container"),
  ofAws("timeout_threshold", "what Lambda's time leaves for uploads, which take none of the script's here"),
  ofAws("iam_role", "the role that the function has on AWS"),
  ofAws("supervisor_version", "the version of the faas-supervisor"),
  ofAws("extra_payload", "a folder that SCAR packs into the Lambda function"),
  ofAws("deployment_bucket", "how SCAR uploads the function"),
  ofAws("api_gateway_name", "a public HTTP address; here `POST /job/NAME` is there for every service"),
];

export const SCAR_S3_KEYS: readonly KeyRow[] = [
  acts("input_bucket", TEXT, "input", "`bucket/folder…`; a bucket alone means its folder `NAME/input`"),
  acts("output_bucket", TEXT, "output", "the same with `NAME/output`; without it that folder of the input's bucket"),
];
