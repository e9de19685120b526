/** A system call that no script may make, by its number on each processor; null where it does not exist.
 *  @see /usr/include/asm/unistd.h; the kernel's `syscall_64.tbl` */
export interface RefusedCall {
  readonly name: string;
  readonly x64: number | null;
  readonly arm64: number | null;
}

const call = (name: string, x64: number | null, arm64: number | null): RefusedCall => ({ name, x64, arm64 });

/** What Docker's default policy gives to no container without more capabilities, and what reaches through namespaces. Most of them the kernel refuses
 *  by itself to who has no capability; a defect there is then out of reach as well. */
export const REFUSED_CALLS: readonly RefusedCall[] = [
  // Keys of the session that the server was started in, shared by all jobs.
  call("add_key", 248, 217),
  call("request_key", 249, 218),
  call("keyctl", 250, 219),
  // Programs in the kernel, and what watches it.
  call("bpf", 321, 280),
  call("perf_event_open", 298, 241),
  call("userfaultfd", 323, 282),
  call("lookup_dcookie", 212, 18),
  call("kcmp", 312, 272),
  call("syslog", 103, 116),
  call("fanotify_init", 300, 262),
  // Mounts and namespaces.
  call("mount", 165, 40),
  call("umount2", 166, 39),
  call("pivot_root", 155, 41),
  call("move_mount", 429, 429),
  call("open_tree", 428, 428),
  call("fsopen", 430, 430),
  call("fsconfig", 431, 431),
  call("fsmount", 432, 432),
  call("fspick", 433, 433),
  call("mount_setattr", 442, 442),
  call("setns", 308, 268),
  call("unshare", 272, 97),
  // Files by their inodes, past the folders that they lie in.
  call("name_to_handle_at", 303, 264),
  call("open_by_handle_at", 304, 265),
  // The machine itself.
  call("init_module", 175, 105),
  call("finit_module", 313, 273),
  call("delete_module", 176, 106),
  call("kexec_load", 246, 104),
  call("kexec_file_load", 320, 294),
  call("reboot", 169, 142),
  call("swapon", 167, 224),
  call("swapoff", 168, 225),
  call("acct", 163, 89),
  call("quotactl", 179, 60),
  call("quotactl_fd", 443, 443),
  call("settimeofday", 164, 170),
  call("clock_settime", 227, 112),
  call("vhangup", 153, 58),
  call("ioperm", 173, null),
  call("iopl", 172, null),
  call("uselib", 134, null),
  call("nfsservctl", 180, 42),
  // Where another process's memory lies.
  call("move_pages", 279, 239),
  call("migrate_pages", 256, 238),
];
