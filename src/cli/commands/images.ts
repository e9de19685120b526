import { knownCode } from "../../client/answer-error.ts";
import type { StoredImage } from "../../client/client.ts";
import { SluiceError } from "../../core/errors.ts";
import { defineCommand, expectArguments } from "../arguments.ts";
import { type Connection, connect } from "../connect.ts";
import { type Io, say } from "../io.ts";
import { FORMAT_OPTION, type Format, parseFormat, printListing } from "../listing.ts";
import { bar, progressLine } from "../progress.ts";
import { SERVER_OPTIONS } from "../server-options.ts";
import { bytesText, localTime } from "../units.ts";

const USAGE = ["images [ls] [-o FORMAT]", "images pull IMAGE… [--secret NAME]", "images rm IMAGE…", "images prune"];

export const command = defineCommand({
  name: "images",
  summary: "List, pull or remove container images",
  usage: USAGE,
  description: [
    "Images come by themselves with the first job that needs them; pull brings one ahead. IMAGE of rm is a name or a digest, whole or its first characters.",
    "prune removes every image that no service is pinned to and no job runs on. Under its limit of disk (images.max_size) the server removes what is used least by itself.",
  ],
  options: {
    secret: {
      type: "string",
      value: "NAME",
      multiple: true,
      help: "Ask the registry with these credentials of the server's configuration",
    },
    ...FORMAT_OPTION,
    ...SERVER_OPTIONS,
  },
  examples: ["sluice images", "sluice images pull docker.io/library/python:3.13-slim", "sluice images prune"],
  async run({ flags, positionals }, io) {
    const [verb = "ls", ...names] = positionals;
    const format = parseFormat(flags.output);
    const { client } = await connect(flags, io);
    switch (verb) {
      case "ls":
        expectArguments(USAGE[0] ?? "", names, 0, 0);
        return list(client, format, io);
      case "pull":
        expectArguments(USAGE[1] ?? "", names, 1);
        return pullAll(client, names, flags.secret ?? [], io);
      case "rm":
        expectArguments(USAGE[2] ?? "", names, 1);
        return removeAll(client, names, io);
      case "prune":
        expectArguments(USAGE[3] ?? "", names, 0, 0);
        say(io, `${bytesText((await client.pruneImages()).freed)} freed`);
        return 0;
      default:
        throw new SluiceError(
          "USAGE",
          `Cannot run "images ${verb}": say ls, pull, rm or prune (see: sluice images --help)`,
        );
    }
  },
});

type Client = Connection["client"];

async function list(client: Client, format: Format, io: Io): Promise<number> {
  const images = await client.listImages();
  await printListing(io, format, {
    raw: images,
    items: images,
    columns: [
      { title: "IMAGE", value: (image) => image.references[0] ?? "", flexible: true },
      { title: "DIGEST", value: (image) => image.digest.slice(7, 19) },
      { title: "SIZE", value: (image) => bytesText(image.size), align: "right" },
      { title: "OWN", value: (image) => bytesText(image.own_size), align: "right" },
      { title: "USED", value: (image) => (image.in_use ? "now" : localTime(image.used_at)) },
    ],
    name: (image) => image.digest,
    empty: "No images (they come with the first job of a service that names one)",
  });
  return 0;
}

async function pullAll(client: Client, names: readonly string[], secrets: readonly string[], io: Io): Promise<number> {
  for (const name of names) await pull(client, name, secrets, io);
  return 0;
}

async function pull(client: Client, name: string, secrets: readonly string[], io: Io): Promise<void> {
  const line = progressLine(io);
  for await (const event of client.pullImage(name, secrets)) {
    if (event.kind === "progress") {
      const { bytesDone, bytes, layersDone, layers } = event;
      line.update(() => `${name} ${bar(bytesDone, bytes)}  ${layersDone} of ${layers} layers, ${bytesText(bytes)}`);
      continue;
    }
    line.clear();
    if (event.kind === "error") throw new SluiceError(knownCode(event.code) ?? "IMAGE_INVALID", event.message);
    say(io, `${event.reference}@${event.digest}`);
    return;
  }
  throw new SluiceError(
    "UNREACHABLE",
    `Cannot pull "${name}": the server ended the call (see its log, then try again)`,
  );
}

async function removeAll(client: Client, names: readonly string[], io: Io): Promise<number> {
  const images = await client.listImages();
  for (const name of names) {
    const { digest } = imageNamed(images, name);
    const { freed } = await client.removeImage(digest);
    say(io, `${digest} removed, ${bytesText(freed)} freed`);
  }
  return 0;
}

/** What lists show of a digest; less may as well be a name. */
const SHOWN_DIGITS = /^[0-9a-f]{12,64}$/;

/** A name as it was pulled, with what Docker leaves out of names; else a digest, or how it begins. */
function imageNamed(images: readonly StoredImage[], name: string): StoredImage {
  const tagged = /[:@][^/]*$/.test(name) ? name : `${name}:latest`;
  const names = [name, tagged, `docker.io/${tagged}`, `docker.io/library/${tagged}`];
  const digits = name.startsWith("sha256:") ? name.slice(7) : SHOWN_DIGITS.test(name) ? name : "";
  const byName = images.filter(({ references }) => references.some((reference) => names.includes(reference)));
  const byDigest = images.filter(({ digest }) => digits !== "" && digest.slice(7).startsWith(digits));
  const found = byName.length > 0 ? byName : byDigest;
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  throw new SluiceError(
    "IMAGE_UNKNOWN",
    first === undefined
      ? `Cannot remove the image "${name}": it is not here (see: sluice images)`
      : `Cannot remove the image "${name}": it means ${found.length} images (give more of the digest)`,
  );
}
