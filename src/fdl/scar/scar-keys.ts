import type { KeyRow } from "../key-row.ts";

/** What SCAR's files say of a function on AWS Lambda and Batch. Rows with the effect `aws` mean nothing on any other machine.
 *  @see https://scar.readthedocs.io/en/latest/ */

const LOG_LEVELS = ["NOTSET", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];
export const DEFAULT_LAMBDA_MIB = 512;
export const DEFAULT_BATCH_MIB = 1024;

function ofAws(key: string, means: string): KeyRow {
  return { key, type: { is: "any" }, dialect: "scar", effect: "aws", to: "-", means };
}

/** Rows that both dialects have. */
const FUNCTION_KEYS: readonly KeyRow[] = [
  {
    key: "memory",
    type: { is: "integer" },
    default: DEFAULT_LAMBDA_MIB,
    dialect: "scar",
    effect: "acts",
    to: "memory",
    means: "MiB of one job",
  },
  {
    key: "execution_mode",
    type: { is: "choice", of: ["lambda", "lambda-batch", "batch"] },
    default: "lambda",
    dialect: "scar",
    effect: "acts",
    to: "memory, cpu, enable_gpu, timeout",
    means:
      "whose limits count: Lambda's memory and timeout, or Batch's memory, vCPUs and GPU without a timeout; `lambda-batch` has Batch's, and the larger memory",
  },
  {
    key: "log_level",
    type: { is: "choice", of: LOG_LEVELS, or: "INFO" },
    default: "INFO",
    dialect: "scar",
    effect: "acts",
    to: "log_level",
    means: "what the script finds in LOG_LEVEL",
  },
  {
    key: "init_script",
    type: { is: "text" },
    dialect: "scar",
    effect: "acts",
    to: "script",
    means: "the path of the script beside the file. Without one the image's own program runs",
  },
  {
    key: "run_script",
    type: { is: "text" },
    dialect: "scar",
    effect: "acts",
    to: "script",
    means: "the same, where there is no `init_script`",
  },
  {
    key: "preheat",
    type: { is: "boolean" },
    default: false,
    dialect: "scar",
    effect: "acts",
    to: "image_prefetch, synchronous.min_scale",
    means: "`true` pulls the image when the service is applied, and keeps one sandbox ready",
  },
  ofAws("description", "a sentence for AWS's console"),
  ofAws("layers", "layers of the Lambda function"),
];

export const AWS_FUNCTION_KEYS: readonly KeyRow[] = [
  {
    key: "lambda",
    type: { is: "section", section: "lambda" },
    required: true,
    dialect: "scar",
    effect: "acts",
    to: "the service",
    means: "the function itself",
  },
  {
    key: "batch",
    type: { is: "section", section: "batch" },
    default: {},
    dialect: "scar",
    effect: "acts",
    to: "cpu, memory, enable_gpu",
    means: "counts with `execution_mode: batch` and `lambda-batch`",
  },
  ofAws("iam", "the role that the function has on AWS"),
  ofAws("api_gateway", "a public HTTP address; here `POST /job/NAME` is there for every service"),
  ofAws("cloudwatch", "how long AWS keeps logs; here `logs` of the server's configuration says so"),
  ofAws("ecr", "AWS's registry for images that SCAR builds"),
];

export const LAMBDA_KEYS: readonly KeyRow[] = [
  {
    key: "name",
    type: { is: "text" },
    required: true,
    dialect: "scar",
    effect: "acts",
    to: "name",
    means: "1 to 39 of a-z, 0-9 and `-`, starting and ending with a letter or digit",
  },
  ...FUNCTION_KEYS,
  {
    key: "timeout",
    type: { is: "integer" },
    dialect: "scar",
    effect: "acts",
    to: "timeout",
    means: "seconds of one attempt; without it the server's own, not AWS's 300",
  },
  {
    key: "container",
    type: { is: "section", section: "container" },
    default: {},
    dialect: "scar",
    effect: "acts",
    to: "image, environment",
    means: "the image, which must be named, and its variables",
  },
  {
    key: "input",
    type: { is: "sections", section: "input" },
    default: [],
    dialect: "scar",
    effect: "acts",
    to: "input",
    means: "as of a service, but a bucket alone is the whole bucket, and `s3` is the store of this server",
  },
  {
    key: "output",
    type: { is: "sections", section: "output" },
    default: [],
    dialect: "scar",
    effect: "acts",
    to: "output",
    means: "the same",
  },
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

export const CONTAINER_KEYS: readonly KeyRow[] = [
  {
    key: "image",
    type: { is: "text" },
    dialect: "scar",
    effect: "acts",
    to: "image",
    means: "an OCI image",
  },
  {
    key: "image_file",
    type: { is: "text" },
    dialect: "scar",
    effect: "acts",
    to: "image",
    means: "an archive of `docker save` on the server, as `image: file:PATH`",
  },
  {
    key: "environment",
    type: { is: "section", section: "environment" },
    default: {},
    dialect: "scar",
    effect: "acts",
    to: "environment",
    means: "variables of the script",
  },
  ofAws("timeout_threshold", "what Lambda's time leaves for uploads, which take none of the script's here"),
  ofAws('timeout_threshold"', "the same, as SCAR's own example has it"),
  ofAws("alpine", "a musl build of the supervisor; nothing of ours runs inside the image"),
  ofAws("create_image", "SCAR builds an image with its supervisor"),
];

export const BATCH_KEYS: readonly KeyRow[] = [
  {
    key: "vcpus",
    type: { is: "integer" },
    default: 1,
    dialect: "scar",
    effect: "acts",
    to: "cpu",
    means: "cores of one job",
  },
  {
    key: "memory",
    type: { is: "integer" },
    default: DEFAULT_BATCH_MIB,
    dialect: "scar",
    effect: "acts",
    to: "memory",
    means: "MiB of one job",
  },
  {
    key: "enable_gpu",
    type: { is: "boolean" },
    default: false,
    dialect: "scar",
    effect: "acts",
    to: "enable_gpu",
    means: "one GPU for each job",
  },
  ofAws("boto_profile", "the AWS account"),
  ofAws("region", "the AWS region"),
  ofAws("service_role", "the role that Batch has on AWS"),
  ofAws("environment", "variables of the Batch job besides the container's"),
  ofAws("compute_resources", "the machines that Batch starts"),
  ofAws("multi_node_parallel", "jobs on several machines at once"),
];

/** SCAR's first files: `functions` holds them by their names. */
export const SCAR_FUNCTION_KEYS: readonly KeyRow[] = [
  { ...(CONTAINER_KEYS[0] as KeyRow) },
  { ...(CONTAINER_KEYS[1] as KeyRow) },
  ...FUNCTION_KEYS,
  {
    key: "time",
    type: { is: "integer" },
    dialect: "scar",
    effect: "acts",
    to: "timeout",
    means: "seconds of one attempt",
  },
  {
    key: "s3",
    type: { is: "section", section: "scar s3" },
    default: {},
    dialect: "scar",
    effect: "acts",
    to: "input, output",
    means: "where files come from and go to",
  },
  {
    key: "environment",
    type: { is: "any" },
    dialect: "scar",
    effect: "acts",
    to: "environment",
    means: "variables of the script: a map, or a list of `NAME=value`",
  },
  {
    key: "batch_vcpus",
    type: { is: "integer" },
    default: 1,
    dialect: "scar",
    effect: "acts",
    to: "cpu",
    means: "cores of one job, with `execution_mode: batch` and `lambda-batch`",
  },
  {
    key: "batch_memory",
    type: { is: "integer" },
    default: DEFAULT_BATCH_MIB,
    dialect: "scar",
    effect: "acts",
    to: "memory",
    means: "MiB of one job, likewise",
  },
  {
    key: "enable_gpu",
    type: { is: "boolean" },
    default: false,
    dialect: "scar",
    effect: "acts",
    to: "enable_gpu",
    means: "one GPU for each job, likewise",
  },
  ofAws("lambda_environment", "variables of the Lambda function, not of the container"),
  ofAws("timeout_threshold", "what Lambda's time leaves for uploads, which take none of the script's here"),
  ofAws("iam_role", "the role that the function has on AWS"),
  ofAws("supervisor_version", "the version of the faas-supervisor"),
  ofAws("extra_payload", "a folder that SCAR packs into the Lambda function"),
  ofAws("deployment_bucket", "how SCAR uploads the function"),
  ofAws("api_gateway_name", "a public HTTP address; here `POST /job/NAME` is there for every service"),
];

export const SCAR_S3_KEYS: readonly KeyRow[] = [
  {
    key: "input_bucket",
    type: { is: "text" },
    dialect: "scar",
    effect: "acts",
    to: "input",
    means: "`bucket/folder…`; a bucket alone means its folder `NAME/input`",
  },
  {
    key: "output_bucket",
    type: { is: "text" },
    dialect: "scar",
    effect: "acts",
    to: "output",
    means: "the same with `NAME/output`; without it that folder of the input's bucket",
  },
];
