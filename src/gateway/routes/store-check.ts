import type { StoreFinding } from "../../objectstore/scrub/findings.ts";
import { type Route, route } from "../route.ts";
import { storeCheckQuery } from "../schemas/store-check.ts";
import { anyThing } from "../subjects.ts";

export const storeCheckRoutes: readonly Route[] = [
  route({
    id: "checkStore",
    method: "POST",
    path: "/system/store/check",
    tag: "system",
    summary:
      "Read every blob and compare it with what the database says; findings as server-sent events, the last is end",
    errors: "problem",
    access: { kind: "action", action: "system.admin" },
    subject: anyThing("system"),
    query: storeCheckQuery,
    answers: {
      200: {
        description: "Events until the check is over; a client that leaves ends it",
        contentType: "text/event-stream",
      },
    },
    async handle({ storeCheck }, { query, signal }) {
      const findings = storeCheck({ repair: query.repair, bytesPerSecond: query.rate }, signal);
      return { status: 200, stream: frames(findings), contentType: "text/event-stream" };
    },
  }),
];

async function* frames(findings: AsyncIterable<StoreFinding>): AsyncGenerator<string> {
  for await (const finding of findings) yield `event: ${finding.kind}\ndata: ${JSON.stringify(finding)}\n\n`;
}
