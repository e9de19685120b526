import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { expect, it } from "vitest";
import { toS3Failure } from "../s3/errors.ts";
import { presignedTarget, requestTarget, signRequest } from "../s3/sign-request.ts";
import { authenticate } from "./authenticate.ts";
import type { StoreDeps } from "./call.ts";
import { parseRequest } from "./request.ts";

const NOW = Date.UTC(2030, 0, 1);
const principal = { issuer: "local", subject: "ann", groups: [], scopes: [], via: "sigv4" } as const;
const deps = {
  clock: { now: () => NOW, monotonicMs: () => 0 },
  identity: { accessKey: async (id: string) => (id === "ANN" ? { secretKey: "s", principal } : null) },
} as unknown as StoreDeps;

interface Asked {
  readonly accessKeyId: string;
  readonly secretKey?: string;
  readonly at?: number;
  readonly presigned?: boolean;
}

function exchangeOf({ accessKeyId, secretKey = "s", at = NOW, presigned = false }: Asked) {
  const request = { method: "GET", host: "h", path: "/b/k" };
  const options = { credentials: { accessKeyId, secretKey }, at };
  const message = new IncomingMessage(new Socket());
  const headers = presigned ? { host: "h" } : signRequest(request, options);
  Object.assign(message, {
    method: "GET",
    url: presigned ? presignedTarget(request, options, 60) : requestTarget(request.path),
    rawHeaders: Object.entries(headers).flat(),
  });
  return { deps, request: parseRequest(message), response: new ServerResponse(message) };
}

async function failureOf(asked: Asked) {
  const { code, message } = await authenticate(exchangeOf(asked)).then(
    () => ({ code: "none", message: "" }),
    (error: unknown) => toS3Failure(error),
  );
  return { code, message };
}

it.each([false, true])("lets in who has the secret (presigned: %s)", async (presigned) => {
  const call = await authenticate(exchangeOf({ accessKeyId: "ANN", presigned }));
  expect(call.caller.principal).toBe(principal);
  expect(call.response.getHeader("content-security-policy")).toBe(presigned ? "sandbox" : undefined);
});

it.each([false, true])(
  "says of an unknown key what it says of a wrong secret, but for the code (presigned: %s)",
  async (presigned) => {
    const wrong = { accessKeyId: "ANN", secretKey: "other", presigned };
    const unknown = { accessKeyId: "BEN", presigned };
    expect((await failureOf(wrong)).code).toBe("SignatureDoesNotMatch");
    expect((await failureOf(unknown)).code).toBe("InvalidAccessKeyId");
    const late = { at: NOW - 3_600_000 };
    expect(await failureOf({ ...unknown, ...late })).toEqual(await failureOf({ ...wrong, ...late }));
    for (const { message } of [await failureOf(wrong), await failureOf(unknown)])
      expect(message).not.toMatch(/[0-9a-f]{8}|ANN|BEN/);
  },
);
