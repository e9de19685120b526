/** The "outside" of `outbound-lab.sh`: answers every connection to port 80 with a line, and name queries for files.example. */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

createServer((socket) => {
  socket.on("error", () => {});
  socket.end("outside\n");
}).listen(80, "::");

const A = Buffer.from([203, 0, 113, 5]);
const AAAA = Buffer.from([0x20, 1, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]);

const names = createSocket("udp4");
names.on("message", (query, from) => {
  const end = query.indexOf(0, 12) + 5;
  const type = query.readUInt16BE(end - 4);
  const answer = type === 1 ? A : type === 28 ? AAAA : null;
  const head = Buffer.from(query.subarray(0, end));
  head.writeUInt16BE(0x8180, 2);
  head.writeUInt16BE(answer === null ? 0 : 1, 6);
  head.fill(0, 8, 12);
  const record = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, answer?.length ?? 0]);
  names.send(answer === null ? head : Buffer.concat([head, record, answer]), from.port, from.address);
});
names.bind(53, "192.0.2.1");
