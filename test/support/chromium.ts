import { type ChildProcess, spawn } from "node:child_process";
import { cleanEnv } from "./server.ts";

/** One page of a real browser, steered over the DevTools protocol. */
export interface Browser {
  /** Goes to an address and waits until the page has loaded. */
  open(url: string): Promise<void>;
  /** The value of an expression on the page, awaited when it is a promise. @throws Error with what it threw */
  evaluate<T>(expression: string): Promise<T>;
  /** Chooses files in the file input that the selector finds. */
  chooseFiles(selector: string, files: readonly string[]): Promise<void>;
  /** Does something that leads to another page, and waits until that has loaded. @returns the new page's address */
  leave(action: () => Promise<unknown>): Promise<string>;
  close(): Promise<void>;
}

/** @param program Chromium's path
 *  @param folder for its profile */
export async function startChromium(program: string, folder: string): Promise<Browser> {
  // Chromium's own sandbox cannot start as root; its pages are the tests' own.
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"];
  const args = [...flags, "--no-proxy-server", "--remote-debugging-port=0", `--user-data-dir=${folder}`, "about:blank"];
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"], env: { ...cleanEnv(), HOME: folder } });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const protocol = await connect(await debuggerAddress(child));
  const page = await firstPage(protocol);

  const open = async (url: string): Promise<void> => {
    const loaded = protocol.next("Page.loadEventFired");
    await page("Page.navigate", { url });
    await loaded;
  };
  const evaluate = async <T>(expression: string): Promise<T> => {
    const { result, exceptionDetails } = await page<Evaluated<T>>("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails !== undefined)
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  };
  return {
    open,
    evaluate,
    async chooseFiles(selector, files) {
      const { root } = await page<{ root: { nodeId: number } }>("DOM.getDocument");
      const { nodeId } = await page<{ nodeId: number }>("DOM.querySelector", { nodeId: root.nodeId, selector });
      await page("DOM.setFileInputFiles", { nodeId, files });
    },
    async leave(action) {
      const loaded = protocol.next("Page.loadEventFired");
      await action();
      await loaded;
      return evaluate<string>("location.href");
    },
    async close() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

interface Evaluated<T> {
  readonly result: { readonly value: T };
  readonly exceptionDetails?: { readonly text: string; readonly exception?: { readonly description?: string } };
}

/** Chromium prints where it listens, among other things. */
function debuggerAddress(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let log = "";
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`Chromium ended at once: ${log}`)));
    child.stderr?.on("data", (chunk: Buffer) => {
      log += chunk.toString();
      const address = /DevTools listening on (ws:\S+)/.exec(log)?.[1];
      if (address !== undefined) resolve(address);
    });
  });
}

type Send = <T = unknown>(method: string, params?: object) => Promise<T>;

interface Protocol {
  send<T>(method: string, params: object, sessionId?: string): Promise<T>;
  /** The next event of that name. */
  next(method: string): Promise<void>;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/** @see https://chromedevtools.github.io/devtools-protocol/ */
async function connect(address: string): Promise<Protocol> {
  const socket = new WebSocket(address);
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", reject);
  });
  const calls = new Map<number, PromiseWithResolvers<unknown>>();
  const waiting = new Map<string, PromiseWithResolvers<void>>();
  let lastId = 0;
  socket.addEventListener("message", ({ data }) => {
    const { id, method, result, error } = JSON.parse(String(data)) as Message;
    const call = calls.get(id ?? 0);
    calls.delete(id ?? 0);
    if (error === undefined) call?.resolve(result);
    else call?.reject(new Error(error.message));
    waiting.get(method ?? "")?.resolve();
  });
  return {
    send<T>(method: string, params: object, sessionId?: string): Promise<T> {
      const call = Promise.withResolvers<unknown>();
      const id = ++lastId;
      calls.set(id, call);
      socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }));
      return call.promise as Promise<T>;
    },
    next(method) {
      const event = Promise.withResolvers<void>();
      waiting.set(method, event);
      return event.promise;
    },
  };
}

async function firstPage(protocol: Protocol): Promise<Send> {
  const { targetId } = await protocol.send<{ targetId: string }>("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await protocol.send<{ sessionId: string }>("Target.attachToTarget", {
    targetId,
    flatten: true,
  });
  const send: Send = (method, params = {}) => protocol.send(method, params, sessionId);
  for (const domain of ["Page", "Runtime", "DOM"]) await send(`${domain}.enable`);
  return send;
}
