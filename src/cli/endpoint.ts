import { SluiceError } from "../core/errors.ts";

/** An API address as a person types it, made whole: `host:8080` gets `http://`, a trailing slash goes.
 *  @throws SluiceError USAGE */
export function parseEndpoint(text: string): string {
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(whole) ? new URL(whole) : null;
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:") || url.hostname === "") {
    throw new SluiceError("USAGE", `Cannot use "${text}" as a server address: write http://HOST:PORT or https://HOST`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new SluiceError(
      "USAGE",
      "Cannot use a server address that holds a password: use --user, or: sluice login URL",
    );
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}
