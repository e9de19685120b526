import type { IncomingHttpHeaders } from "node:http";
import { SluiceError } from "../../core/errors.ts";
import { isAdmin, type Principal } from "../../core/principal.ts";
import { type Route, route } from "../route.ts";
import { changesQuery } from "../schemas/changes.ts";
import { changeStream } from "../streams/change-stream.ts";
import type { Wakeups } from "../streams/wakeups.ts";
import { ownThings } from "../subjects.ts";

export const changeRoutes = (wakeups: Wakeups): readonly Route[] => [
  route({
    id: "followChanges",
    method: "GET",
    path: "/system/events",
    tag: "events",
    summary:
      "Committed changes as server-sent events, from a number on; an event gap says that some are no longer kept",
    errors: "problem",
    access: { kind: "action", action: "job.read" },
    subject: ownThings("job"),
    query: changesQuery,
    answers: { 200: { description: "Events without end", contentType: "text/event-stream" } },
    async handle({ state }, { by, query, headers, signal }) {
      const owner = ownerFilter(by, query.owner);
      const after = lastEventId(headers) ?? query.after ?? null;
      const stream = changeStream(state, wakeups, { after, owner, kinds: query.kinds ?? null, signal });
      return { status: 200, stream, contentType: "text/event-stream" };
    },
  }),
];

function ownerFilter(by: Principal, asked: string | undefined): string | null {
  if (isAdmin(by)) return asked ?? null;
  if (asked === undefined || asked === by.subject) return by.subject;
  throw new SluiceError("FORBIDDEN", "Cannot show the changes of another user: only the administrator may");
}

/** What a browser sends when it connects again. @throws SluiceError REQUEST_INVALID */
function lastEventId(headers: IncomingHttpHeaders): number | null {
  const value = headers["last-event-id"];
  if (value === undefined || value === "") return null;
  if (typeof value === "string" && /^\d{1,15}$/.test(value)) return Number(value);
  throw new SluiceError("REQUEST_INVALID", "Cannot go on from Last-Event-ID: it is no number that this server gave");
}
