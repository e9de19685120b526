import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";

/** Images that tests build themselves, as OCI layouts: nothing is downloaded but Debian's packages. */

const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "sluice", "images");
const ARCHITECTURE = process.arch === "arm64" ? "arm64" : "amd64";

export interface ImageSettings {
  readonly Env?: readonly string[];
  readonly WorkingDir?: string;
  readonly User?: string;
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
}

/** Uncompressed layers, lowest first → the folder of an OCI layout. */
export function writeLayout(
  folder: string,
  tars: readonly Buffer[],
  config: ImageSettings = {},
  architecture = ARCHITECTURE,
): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, "blobs", "sha256"), { recursive: true });
  const put = (bytes: Buffer, mediaType: string) => {
    writeFileSync(join(folder, "blobs", "sha256", hash(bytes)), bytes);
    return { mediaType, digest: `sha256:${hash(bytes)}`, size: bytes.length };
  };
  const json = (value: unknown, mediaType: string) => put(Buffer.from(JSON.stringify(value)), mediaType);
  const layers = tars.map((tar) => put(gzipSync(tar, { level: 1 }), "application/vnd.oci.image.layer.v1.tar+gzip"));
  const image = {
    architecture,
    os: "linux",
    config,
    rootfs: { type: "layers", diff_ids: tars.map((tar) => `sha256:${hash(tar)}`) },
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: json(image, "application/vnd.oci.image.config.v1+json"),
    layers,
  };
  const manifests = [json(manifest, manifest.mediaType)];
  writeFileSync(join(folder, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
  writeFileSync(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
}

const hash = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** Makes a folder's tree into a layer. */
export function layerOf(make: (root: string) => void): Buffer {
  const root = mkdtempSync(join(tmpdir(), "sluice-rootfs-"));
  try {
    make(root);
    return tarOf(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

const tarOf = (root: string): Buffer =>
  execFileSync(
    "tar",
    ["-C", root, "--sort=name", "--mtime=@0", "--numeric-owner", "--owner=0", "--group=0", "-cf", "-", "."],
    { maxBuffer: 2 ** 31 - 1 },
  );

export function put(root: string, path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
  chmodSync(join(root, path), mode);
}

export function putProgram(root: string, from: string, to: string): void {
  mkdirSync(dirname(join(root, to)), { recursive: true });
  copyFileSync(from, join(root, to));
  chmodSync(join(root, to), 0o755);
}

/** As the image of that name: one static program with many names. */
export function busyboxLayer(): Buffer {
  return layerOf((root) => {
    putProgram(root, "/usr/bin/busybox", "bin/busybox");
    const names = execFileSync("/usr/bin/busybox", ["--list"], { encoding: "utf8" }).trim().split("\n");
    for (const name of names) if (name !== "busybox") symlinkSync("busybox", join(root, "bin", name));
    put(root, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n");
    put(root, "tmp/.keep", "");
  });
}

/** As Alpine: programs that load musl's C library, and busybox. */
export function muslLayer(): Buffer {
  return layerOf((root) => {
    const source = join(root, "hello.c");
    writeFileSync(
      source,
      '#include <stdio.h>\nint main(void) { FILE *f = fopen("/etc/alpine-release", "r"); char line[99]; fgets(line, 99, f); printf("musl %s", line); return 0; }\n',
    );
    mkdirSync(join(root, "usr/bin"), { recursive: true });
    execFileSync("musl-gcc", ["-o", join(root, "usr/bin/hello"), source]);
    rmSync(source);
    const loader =
      readFileSync(join(root, "usr/bin/hello"))
        .toString("latin1")
        .match(/\/lib\/ld-musl-[\w-]+\.so\.1/)?.[0] ?? "";
    putProgram(root, execFileSync("readlink", ["-f", loader], { encoding: "utf8" }).trim(), loader);
    put(root, "etc/alpine-release", "3.99\n");
    putProgram(root, "/usr/bin/busybox", "bin/sh");
  });
}

/** One static program and nothing else. It copies its input to its output. */
export function scratchLayer(): Buffer {
  return layerOf((root) => compile(root, ["-static"]));
}

/** A C library and a program, no shell: as the images that are called distroless. */
export function distrolessLayer(): Buffer {
  return layerOf((root) => {
    compile(root, []);
    const libraries = execFileSync("ldd", [join(root, "app")], { encoding: "utf8" }).match(/\/lib[^ )]*/g) ?? [];
    for (const library of libraries) putProgram(root, library, library);
    put(root, "etc/passwd", "nonroot:x:65532:65532::/home/nonroot:/sbin/nologin\n");
  });
}

const COPIER = `#include <stdio.h>
#include <stdlib.h>
int main(void) {
  char path[4096];
  snprintf(path, sizeof path, "%s/copy", getenv("TMP_OUTPUT_DIR"));
  FILE *in = fopen(getenv("INPUT_FILE_PATH"), "r"), *out = fopen(path, "w");
  for (int c; (c = getc(in)) != EOF;) putc(c, out);
  return fclose(out);
}
`;

function compile(root: string, options: readonly string[]): void {
  const source = join(root, "app.c");
  writeFileSync(source, COPIER);
  execFileSync("gcc", [...options, "-o", join(root, "app"), source]);
  rmSync(source);
}

/** Debian by debootstrap, with more packages; made once and kept, as it takes a minute. */
export function debianLayer(packages: readonly string[] = []): Buffer {
  const name = ["bookworm", ...packages].join("-");
  const kept = join(CACHE, `${name}.tar`);
  if (!existsSync(kept)) {
    const root = mkdtempSync(join(tmpdir(), "sluice-debian-"));
    const include = packages.length === 0 ? [] : [`--include=${packages.join(",")}`];
    const mirror = debianMirror();
    execFileSync("debootstrap", ["--variant=minbase", ...include, "bookworm", root, ...mirror], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    rmSync(join(root, "var/cache/apt"), { recursive: true, force: true });
    rmSync(join(root, "var/lib/apt/lists"), { recursive: true, force: true });
    mkdirSync(CACHE, { recursive: true });
    writeFileSync(`${kept}.new`, tarOf(root));
    renameSync(`${kept}.new`, kept);
    rmSync(root, { recursive: true });
  }
  return readFileSync(kept);
}

/** Where this machine has its own packages from. */
function debianMirror(): string[] {
  const text = execFileSync("apt-get", ["indextargets", "--format", "$(SITE) $(CODENAME) $(COMPONENT)"], {
    encoding: "utf8",
  });
  const line = text.split("\n").find((each) => / bookworm main$/.test(each));
  return line === undefined ? [] : [line.split(" ")[0] ?? ""];
}
