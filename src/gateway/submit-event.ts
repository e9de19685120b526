import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import { SluiceError } from "../core/errors.ts";
import type { EventObject, FileEvent } from "../core/file-event.ts";
import { newEventId } from "../core/ids.ts";
import type { Job } from "../core/job.ts";
import type { Principal } from "../core/principal.ts";
import type { ServiceRecord } from "../core/service.ts";
import { MAX_EVENT_BYTES, recogniseEvent } from "../events/recognise-event.ts";
import type { ObjectRecord } from "../events/storage-event.ts";
import { decide } from "../identity/decide.ts";
import type { Lineage } from "../state/state.ts";
import { boundedBody } from "./body.ts";
import type { GatewayDeps } from "./deps.ts";

/** The script sees a JSON body up to this size as EVENT itself, as with OSCAR; the kernel takes no larger variable than twice that. */
const MAX_BODY_AS_PAYLOAD = 64 * 1024;
/** Jobs that wait for the same fsync; the order of events stays. */
const SUBMITTED_AT_ONCE = 64;
/** More records than any notifier puts in one event. */
const MAX_RECORDS = 1000;

/** A call of a service with an event body. */
export interface EventCall {
  readonly by: Principal;
  readonly lineage: Lineage | null;
  readonly service: ServiceRecord;
  readonly runName: string | null;
  readonly headers: IncomingHttpHeaders;
  readonly stream: Readable;
}

/** Makes the jobs that a body asks for: one for each arrival of a notification about objects of this server that the caller or the service's
 *  owner may read; none for a test event; else one whose input is the body. Bodies are streamed to a blob, and only those that are small enough
 *  to be a notification are looked at.
 *  @throws SluiceError BODY_TOO_LARGE, BODY_TRUNCATED, OBJECT_UNKNOWN, and what `Jobs.submit` throws */
export async function submitEvent(deps: GatewayDeps, call: EventCall): Promise<Job[]> {
  const body = boundedBody(call.stream, call.headers, deps.facts.maxEventBytes);
  const start = await readStart(body);
  if (!start.whole) return [await submitBody(deps, call, joined(start.chunks, body), null)];
  const bytes = Buffer.concat(start.chunks);
  const found = recogniseEvent(bytes);
  if (found.kind === "nothing") return [];
  if (found.kind === "objects") {
    const events = await objectEvents(deps, call, found.records);
    if (events !== null) return submitAll(deps, call, events);
  }
  const asPayload = (found.kind !== "body" || found.json) && bytes.length <= MAX_BODY_AS_PAYLOAD;
  return [await submitBody(deps, call, joined([bytes], null), asPayload ? bytes.toString("utf8") : null)];
}

/** The chunks of a body up to the size of an event; `whole` when that is all of it. */
async function readStart(body: AsyncIterator<Uint8Array>): Promise<{ chunks: Uint8Array[]; whole: boolean }> {
  const chunks: Uint8Array[] = [];
  for (let size = 0; size <= MAX_EVENT_BYTES; ) {
    const next = await body.next();
    if (next.done === true) return { chunks, whole: true };
    chunks.push(next.value);
    size += next.value.length;
  }
  return { chunks, whole: false };
}

async function* joined(
  chunks: readonly Uint8Array[],
  rest: AsyncIterable<Uint8Array> | null,
): AsyncGenerator<Uint8Array> {
  yield* chunks;
  if (rest !== null) yield* rest;
}

async function submitBody(
  deps: GatewayDeps,
  call: EventCall,
  source: AsyncIterable<Uint8Array>,
  payload: string | null,
): Promise<Job> {
  const body = await deps.blobs.stage(source);
  const described = JSON.stringify({
    source: "http",
    content_type: call.headers["content-type"] ?? null,
    size_bytes: body.sizeBytes,
  });
  const event = makeEvent(deps, call, { source: "http", object: null, payload: payload ?? described, time: null });
  try {
    return await deps.jobs.submit(call.by, { ...asked(call), event, body });
  } catch (error) {
    await deps.blobs.discard([body.blobId]);
    throw error;
  }
}

async function submitAll(deps: GatewayDeps, call: EventCall, events: readonly FileEvent[]): Promise<Job[]> {
  const jobs: Job[] = [];
  for (let at = 0; at < events.length; at += SUBMITTED_AT_ONCE) {
    const some = events.slice(at, at + SUBMITTED_AT_ONCE);
    jobs.push(
      ...(await Promise.all(some.map((event) => deps.jobs.submit(call.by, { ...asked(call), event, body: null })))),
    );
  }
  return jobs;
}

const asked = (call: EventCall) => ({ service: call.service.name, runName: call.runName, priority: 0 });

/** The records as events; null when they are about another store, so that the script gets the notification itself.
 *  Buckets that the caller may not read are like those that are not here. */
async function objectEvents(
  deps: GatewayDeps,
  call: EventCall,
  records: readonly ObjectRecord[],
): Promise<FileEvent[] | null> {
  if (records.length > MAX_RECORDS) {
    throw new SluiceError("REQUEST_INVALID", `Cannot take the event: it has more than ${MAX_RECORDS} records`);
  }
  const readable = await Promise.all(records.map(async ({ bucket }) => mayRead(deps, call, bucket)));
  if (!readable.includes(true)) return null;
  return Promise.all(
    records.map(async (record, at) => {
      const object = readable[at] === true ? await storedObject(deps, record) : null;
      if (object !== null) return makeEvent(deps, call, { ...record, object });
      throw new SluiceError(
        "OBJECT_UNKNOWN",
        `Cannot run "${call.service.name}" on "${record.bucket}/${record.key}": there is no such object (it may have been removed since)`,
      );
    }),
  );
}

async function mayRead(deps: GatewayDeps, { by, service }: EventCall, name: string): Promise<boolean> {
  const bucket = await deps.state.bucket(name);
  if (bucket === null) return false;
  return bucket.owner === service.owner || decide(by, "object.read", { kind: "object", name, owner: bucket.owner });
}

async function storedObject({ state }: GatewayDeps, { bucket, key }: ObjectRecord): Promise<EventObject | null> {
  const object = await state.object(bucket, key);
  if (object === null) return null;
  const { versionSeq, etag, sizeBytes } = object;
  return { bucket, key, versionSeq, etag, sizeBytes };
}

/** What a running job causes carries its chain on. */
function makeEvent(
  { clock }: GatewayDeps,
  { lineage }: EventCall,
  from: Pick<FileEvent, "source" | "object" | "payload"> & { readonly time: number | null },
): FileEvent {
  const id = newEventId();
  return {
    id,
    source: from.source,
    time: from.time ?? clock.now(),
    object: from.object,
    rootId: lineage?.rootId ?? id,
    parentJobId: lineage?.parentJobId ?? null,
    hops: lineage === null ? 0 : lineage.hops + 1,
    payload: from.payload,
  };
}
