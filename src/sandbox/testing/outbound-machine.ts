/** The "machine" of `outbound-lab.sh`: tries to reach addresses from a sandbox and, as a control, from the machine itself. Prints JSON. */
import { execFile } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { SandboxBench } from "./sandbox-bench.ts";
import { imageRoot, makeLayers } from "./test-image.ts";

/** Says what a server sends first, or how the call failed. Arguments: address, port, device to bind to or nothing. */
const CALL = `use Socket qw(:all); my ($to, $port, $device) = @ARGV;
my $six = $to =~ /:/; ($to, my $zone) = split /%/, $to; $SIG{ALRM} = sub { print "timeout"; exit }; alarm 4;
socket(S, $six ? AF_INET6 : AF_INET, SOCK_STREAM, 0) or die;
if ($device) { setsockopt(S, SOL_SOCKET, 25, "$device\\0") or do { print "no device"; exit } }
my $at = $six ? pack_sockaddr_in6($port, inet_pton(AF_INET6, $to), $zone || 0) : pack_sockaddr_in($port, inet_aton($to));
connect(S, $at) or do { print "refused: $!"; exit }; print scalar <S>;`;

const OWN_PORT = 8080;
createServer((socket) => {
  socket.on("error", () => {});
  socket.end("machine\n");
}).listen(OWN_PORT, "::");

const TARGETS: Readonly<Record<string, readonly [address: string, port: number]>> = {
  outside4: ["203.0.113.5", 80],
  outside6: ["2001:db8:1::5", 80],
  privateNetwork: ["10.9.9.9", 80],
  own4: ["192.0.2.10", OWN_PORT],
  own6: ["2001:db8::10", OWN_PORT],
  ofDownDevice: ["10.7.8.8", OWN_PORT],
  ofLoopback: ["10.7.7.7", OWN_PORT],
  ofLoopbackNetwork: ["10.7.6.9", OWN_PORT],
  localRoute: ["10.7.5.5", OWN_PORT],
  ofLoopback6: ["2001:db8:7::7", OWN_PORT],
  localRoute6: ["2001:db8:8::9", OWN_PORT],
  metadata: ["169.254.169.254", 80],
  linkLocal: ["fe80::1%2", 80],
  loopback: ["127.0.0.1", OWN_PORT],
  loopback6: ["::1", OWN_PORT],
  helper: ["198.18.255.2", OWN_PORT],
  helper6: ["fd00::2", OWN_PORT],
};

/** Sends its name to a group of machines, by no device in particular and by one. Arguments: group, name, device. */
const CALL_GROUP = `use Socket qw(:all); my ($to, $name, $device) = @ARGV; my $six = $to =~ /:/;
for my $by ("", $device) {
  socket(S, $six ? AF_INET6 : AF_INET, SOCK_DGRAM, 0) or die;
  my ($level, $via, $hops) = $six ? (41, 17, 18) : (0, 32, 33);
  setsockopt(S, $level, $hops, pack("i", 8)) or die;
  if ($by) {
    open(F, "/sys/class/net/$by/ifindex"); my $index = <F> || $ENV{INDEX};
    setsockopt(S, $level, $via, $six ? pack("I", $index) : pack("a4a4I", "", "", $index)) or die "via: $!";
  }
  my $at = $six ? pack_sockaddr_in6(5353, inet_pton(AF_INET6, $to)) : pack_sockaddr_in(5353, inet_aton($to));
  my $text = $name . ($by ? "-by-device" : "");
  send(S, $text, 0, $at);
}`;

const GROUPS = ["224.0.0.251", "239.1.2.3", "ff02::fb", "ff05::1:3"];
const callGroups = (name: string, device: string): string =>
  GROUPS.map((group) => `INDEX=2 perl -e ${quote(CALL_GROUP)} ${group} ${name}-${group} ${device}`).join("\n");
const heard = new Set<string>();
for (const family of [4, 6] as const) {
  const socket = createSocket({ type: `udp${family}`, reuseAddr: true, ...(family === 6 ? { ipv6Only: true } : {}) });
  socket.on("message", (text) => heard.add(text.toString()));
  socket.bind(5353, () => {
    for (const group of GROUPS.filter((address) => address.includes(":") === (family === 6))) {
      socket.addMembership(group, family === 4 ? "192.0.2.10" : "::%near");
    }
  });
}

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
const command = (name: string, device: string): string => {
  const [address, port] = TARGETS[name] ?? ["", 0];
  return `echo "${name}${device} $(perl -e ${quote(CALL)} ${address} ${port} ${device})"`;
};
const names = Object.keys(TARGETS);
const everything = [
  ...names.map((name) => command(name, "")),
  ...["own4", "own6", "metadata", "linkLocal"].map((name) => command(name, "tap0")),
  'echo "name $(getent ahostsv4 files.example | head -1 | cut -d" " -f1)"',
  'echo "name6 $(getent ahostsv6 files.example | head -1 | cut -d" " -f1)"',
].join("\n");

const parse = (text: string): Record<string, string> =>
  Object.fromEntries(
    text.split("\n").flatMap((line) => (line === "" ? [] : [[line.split(" ")[0], line.slice(line.indexOf(" ") + 1)]])),
  );

// Blocks of user ids are claimed within a network namespace, and whoever claims one ends what runs by its ids: here is another one than servers
// outside have, and other laboratories.
const bench = await SandboxBench.open("bubblewrap", { uidBase: 400_000 + 256 * (process.pid % 4096) });
await sleep(300);
const report = await bench.sandbox.probe();
const control = await promisify(execFile)("sh", ["-c", everything]);
const inside = await bench.run(everything, { network: "outbound", limits: { wallMs: 120_000 } });
const none = await bench.run(command("outside4", ""), { network: "none" });
mkdirSync(`${bench.folder}/layers`);
const layers = makeLayers(`${bench.folder}/layers`);
const image = await bench.run("cat /etc/resolv.conf", { network: "outbound", root: imageRoot(layers) });
const changed = await bench.run("ip -4 rule del pref 10 2>&1; ip link set tap0 down 2>&1; id -u", {
  network: "outbound",
});
await promisify(execFile)("sh", ["-c", callGroups("machine", "near")]);
const groups = await bench.run(callGroups("sandbox", "tap0"), { network: "outbound" });
await sleep(300);
// What a job has done in its network: the next one of the same tenant may find it, nobody else's does.
const CONNECTIONS = "awk '/^Tcp: [0-9]/ { print $6 }' /proc/net/snmp";
await bench.run(command("outside4", ""), { network: "outbound", tenant: "a" });
const [same, other] = [
  await bench.run(CONNECTIONS, { network: "outbound", tenant: "a" }),
  await bench.run(CONNECTIONS, { network: "outbound", tenant: "b" }),
];
// What is kept ready has its network before the job comes, which finds it.
const helpers = (): Promise<number> =>
  promisify(execFile)("pgrep", ["-c", "-P", String(process.pid), "slirp4netns"]).then(
    ({ stdout }) => Number(stdout),
    () => 0,
  );
const [idle, spec] = [await helpers(), { root: { kind: "host" }, network: "outbound", tenant: "kept" } as const];
await bench.sandbox.keepReady?.([{ ...spec, count: 2 }]);
const made = (await helpers()) - idle;
await Promise.all([1, 2].map(() => bench.run(command("outside4", ""), { network: "outbound", tenant: "kept" })));
const more = (await helpers()) - idle - made;
const many = await Promise.all(
  Array.from({ length: 8 }, () =>
    bench.run(command("outside4", ""), { network: "outbound" }).then(({ out }) => parse(out).outside4),
  ),
);
let killed = "";
try {
  await bench.run("echo up; sleep 30", {
    network: "outbound",
    whileRunning: async () => {
      await sleep(500);
      await promisify(execFile)("pkill", ["-KILL", "-P", String(process.pid), "slirp4netns"]);
    },
  });
} catch (error) {
  killed = (error as Error).message;
}
// The helpers of idle slots were killed too, which is seen when their ends are told.
await sleep(200);
const after = await bench.run(command("outside4", ""), { network: "outbound" });
await bench.close();
const left = await helpers();
process.stdout.write(
  JSON.stringify({
    networks: report.networks,
    control: parse(control.stdout),
    inside: parse(inside.out),
    none: parse(none.out).outside4,
    image: image.out,
    changed: changed.out,
    heard: [...heard],
    groups: groups.out,
    connections: { same: same.out.trim(), other: other.out.trim() },
    kept: { made, more },
    many,
    killed,
    after: parse(after.out).outside4,
    left,
  }),
);
process.exit(0);
