/** Archives by hand, also such as no program would write. */

interface MemberOptions {
  readonly flag?: string;
  readonly body?: string | Buffer;
  readonly link?: string;
  readonly mode?: number;
  readonly mtime?: number;
  /** What the header says, where that is not the body's. */
  readonly size?: number;
  /** Changes the header before its checksum is made. */
  readonly header?: (block: Buffer) => void;
  readonly badSum?: boolean;
}

/** One member: header, body, padding. Names are raw bytes as one character each. */
export function tarMember(name: string, options: MemberOptions = {}): Buffer {
  const body = Buffer.from(options.body ?? "");
  const block = Buffer.alloc(512);
  block.write(name.slice(0, 100), 0, "latin1");
  octal(block, 100, 8, options.mode ?? 0o644);
  octal(block, 108, 8, 0);
  octal(block, 116, 8, 0);
  octal(block, 124, 12, options.size ?? body.length);
  octal(block, 136, 12, options.mtime ?? 1_700_000_000);
  block.write(options.flag ?? "0", 156, "latin1");
  block.write((options.link ?? "").slice(0, 100), 157, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  options.header?.(block);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${(options.badSum === true ? sum + 1 : sum).toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return Buffer.concat([block, body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

export const folder = (name: string, mode = 0o755): Buffer => tarMember(name, { flag: "5", mode });
export const file = (name: string, body = "", mode = 0o644): Buffer => tarMember(name, { body, mode });
export const symlinkTo = (name: string, link: string): Buffer => tarMember(name, { flag: "2", link });
export const hardLink = (name: string, link: string): Buffer => tarMember(name, { flag: "1", link });

/** A pax header for the member that follows. */
export function pax(records: Readonly<Record<string, string>>, flag: "x" | "g" = "x"): Buffer {
  const body = Object.entries(records).map(([key, value]) => {
    const rest = Buffer.byteLength(` ${key}=${value}\n`);
    let length = rest + 1;
    while (String(length).length + rest !== length) length = String(length).length + rest;
    return `${length} ${key}=${value}\n`;
  });
  return tarMember("pax", { flag, body: body.join("") });
}

export const endOfTar = Buffer.alloc(1024);

/** In pieces of odd sizes, as a network gives them. */
export async function* inPieces(bytes: Buffer, size = 777): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function octal(block: Buffer, at: number, length: number, value: number): void {
  block.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "latin1");
}
