/** A straightforward unpacking in memory, to compare with: all layers into one tree, each member as it comes. */

type Entry =
  | { readonly kind: "folder"; readonly entries: Map<string, Entry> }
  | { readonly kind: "file" | "link"; readonly text: string };
type Folder = Entry & { readonly kind: "folder" };

const newFolder = (): Folder => ({ kind: "folder", entries: new Map() });

/** @param image layers of members as `make-tar.ts` makes them, without extensions; links are absolute
 *  @returns path to what is there (`/`, `-> target`, or the text); null when the image is to be refused */
export function referenceTree(image: readonly (readonly Buffer[])[]): Record<string, string> | null {
  const root = newFolder();
  for (const layer of image) {
    const made = new Set<Entry>([root]);
    for (const member of layer) if (!applyMember(root, made, member)) return null;
  }
  const found: Record<string, string> = {};
  list(root, "", found);
  return found;
}

function list({ entries }: Folder, path: string, found: Record<string, string>): void {
  for (const [name, entry] of entries) {
    if (entry.kind === "folder") {
      found[path + name] = "/";
      list(entry, `${path}${name}/`, found);
    } else found[path + name] = entry.kind === "link" ? `-> ${entry.text}` : entry.text;
  }
}

function applyMember(root: Folder, made: Set<Entry>, member: Buffer): boolean {
  const text = (at: number, end: number): string => member.toString("latin1", at, end).split("\0")[0] ?? "";
  const parts = text(0, 100)
    .split("/")
    .filter((part) => part !== "");
  const name = parts.pop() ?? "";
  const isMark = name.startsWith(".wh.");
  const way = walk(root, parts, !isMark);
  if (way === "missing") return true;
  const folder = way?.at(-1);
  if (way === null || folder === undefined) return false;
  if (name === ".wh..wh..opq") dropOlder(folder, made);
  else if (isMark) dropOne(folder, name.slice(4), made);
  else {
    const flag = text(156, 157);
    const size = Number.parseInt(text(124, 136), 8);
    if (
      !put(root, folder, name, { flag, body: member.toString("latin1", 512, 512 + size), target: text(157, 257) }, made)
    )
      return false;
    for (const each of way) made.add(each);
  }
  return true;
}

function put(
  root: Folder,
  folder: Folder,
  name: string,
  member: { flag: string; body: string; target: string },
  made: Set<Entry>,
): boolean {
  const old = folder.entries.get(name);
  const set = (entry: Entry): void => {
    folder.entries.set(name, entry);
    made.add(entry);
  };
  if (member.flag === "5") set(old?.kind === "folder" ? old : newFolder());
  else if (member.flag === "0") set({ kind: "file", text: member.body });
  else if (member.flag === "2") set({ kind: "link", text: member.target });
  else if (member.flag === "3") folder.entries.delete(name);
  else {
    const parts = member.target.split("/");
    const last = parts.pop() ?? "";
    const way = walk(root, parts, false);
    const parent = way === "missing" ? undefined : way?.at(-1);
    const target = parent?.entries.get(last);
    if (target === undefined || target.kind === "folder") return false;
    if (parent === folder && last === name) return true;
    folder.entries.delete(name);
    if (parent !== undefined && old?.kind === "folder" && !isIn(root, parent)) return false;
    set({ ...target });
  }
  return true;
}

const isIn = (at: Folder, wanted: Folder): boolean =>
  at === wanted || [...at.entries.values()].some((entry) => entry.kind === "folder" && isIn(entry, wanted));

function dropOne(folder: Folder, name: string, made: Set<Entry>): void {
  const entry = folder.entries.get(name);
  if (entry === undefined) return;
  if (!made.has(entry)) folder.entries.delete(name);
  else if (entry.kind === "folder") dropOlder(entry, made);
}

function dropOlder(folder: Folder, made: Set<Entry>): void {
  for (const name of [...folder.entries.keys()]) dropOne(folder, name, made);
}

/** The folders on the way, links followed from the root; null when something is in the way. */
function walk(root: Folder, path: readonly string[], make: boolean): Folder[] | "missing" | null {
  const waiting = path.toReversed();
  let way = [root];
  for (let links = 0, part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    const at = way.at(-1) ?? root;
    const entry = at.entries.get(part) ?? newFolder();
    if (!at.entries.has(part) && !make) return "missing";
    at.entries.set(part, entry);
    if (entry.kind === "file") return make ? null : "missing";
    if (entry.kind === "folder") way.push(entry);
    else {
      links += 1;
      if (links > 40) return null;
      way = [root];
      waiting.push(
        ...entry.text
          .split("/")
          .filter((each) => each !== "")
          .toReversed(),
      );
    }
  }
  return way;
}
