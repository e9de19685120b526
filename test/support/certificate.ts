import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** Makes a certificate for localhost and 127.0.0.1 that signs itself, with its key. @returns their paths */
export function makeCertificate(folder: string, name: string): { readonly cert: string; readonly key: string } {
  const [cert, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  const argv = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const subject = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  execFileSync("openssl", [...argv, ...subject, "-keyout", key, "-out", cert], { stdio: "pipe" });
  return { cert, key };
}
