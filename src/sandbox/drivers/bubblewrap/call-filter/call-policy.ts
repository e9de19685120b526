/** What a script may ask of the kernel. The reference is Docker's default policy for a container without capabilities: what it allows is allowed here, with the
 *  exceptions below (and uprobe, which Linux lets by at any filter, as uretprobe); everything else is refused. `npm run generate:call-filter` makes the filter of this. */

/** Errors by which a call is refused. @see asm-generic/errno.h */
export const ERRNO = { EPERM: 1, ENOSYS: 38, EOPNOTSUPP: 95, EAFNOSUPPORT: 97 } as const;
export type Refusal = keyof typeof ERRNO;

export const ALLOWED: readonly string[] = `
accept accept4 access adjtimex alarm arch_prctl bind brk cachestat capget capset chdir chmod chown clock_adjtime clock_getres clock_gettime
clock_nanosleep close close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait
epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fallocate fanotify_mark fchdir
fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fork fremovexattr fstat fstatfs fsync ftruncate futex
futex_requeue futex_wait futex_waitv futex_wake futimesat get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid geteuid getgid
getgroups getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit getrusage getsid getsockname
getsockopt gettid gettimeofday getuid getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy
io_getevents io_pgetevents io_setup io_submit ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown
lgetxattr link linkat listen listmount listxattr listxattrat llistxattr lremovexattr lseek lstat madvise map_shadow_stack membarrier memfd_create
memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap modify_ldt mprotect mq_getsetattr mq_notify mq_open mq_timedreceive
mq_timedsend mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap nanosleep newfstatat open openat openat2 pause
pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll prctl pread64 preadv preadv2 prlimit64 process_mrelease
process_vm_readv process_vm_writev pselect6 ptrace pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recvfrom recvmmsg recvmsg
remap_file_pages removexattr removexattrat rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask
rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity
sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield
seccomp select semctl semget semop semtimedop sendfile sendmmsg sendmsg sendto set_robust_list set_thread_area set_tid_address setfsgid setfsuid
setgid setgroups setitimer setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setsockopt setuid shmat shmctl shmdt shmget
shutdown sigaltstack signalfd signalfd4 splice stat statfs statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time
timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime times tkill truncate umask uname
unlink unlinkat uprobe uretprobe utime utimensat utimes vfork vmsplice wait4 waitid write writev
`
  .trim()
  .split(/\s+/);

/** Known calls that are refused in another way than by EPERM. Calls that have no number yet are ENOSYS: a newer C library then takes the older one. */
export const REFUSED: Readonly<Record<string, Refusal>> = {
  // The flags of the new processes lie in memory, where a filter does not look; C libraries go back to clone.
  clone3: "ENOSYS",
  // Does what other calls do, unseen by a filter.
  io_uring_setup: "ENOSYS",
  io_uring_enter: "ENOSYS",
  io_uring_register: "ENOSYS",
  // Extended attributes, access lists among them, would stay on outputs. As on a file system without them, so that `cp -a` goes on.
  setxattr: "EOPNOTSUPP",
  lsetxattr: "EOPNOTSUPP",
  fsetxattr: "EOPNOTSUPP",
  setxattrat: "EOPNOTSUPP",
};

/** A call that depends on one of its arguments, of which the lower 32 bits count. */
export type ArgumentRule = { readonly call: string; readonly argument: number; readonly otherwise: Refusal } & (
  | { readonly oneOf: readonly number[] }
  | { readonly noneOf: readonly number[] }
  | { readonly noBits: number }
);

/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: those that a network namespace holds apart. AF_VSOCK, for one, is not: it reaches the machine's own virtual
 *  machine monitor, and other sandboxes. */
const FAMILIES = [1, 2, 10, 16];
/** TIOCSTI and TIOCLINUX: typing into a terminal of somebody else. */
const TERMINAL_REQUESTS = [0x5412, 0x541c];
/** CLONE_NEWNS, _NEWCGROUP, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET. */
const NAMESPACES = 0x7e020000;
/** Linux, with and without UNAME26, and the question which it is; Docker's. */
const PERSONALITIES = [0, 0x0008, 0x20000, 0x20008, 0xffffffff];

export const ARGUMENT_RULES: readonly ArgumentRule[] = [
  { call: "socket", argument: 0, oneOf: FAMILIES, otherwise: "EAFNOSUPPORT" },
  { call: "socketpair", argument: 0, oneOf: FAMILIES, otherwise: "EAFNOSUPPORT" },
  { call: "ioctl", argument: 1, noneOf: TERMINAL_REQUESTS, otherwise: "EPERM" },
  { call: "clone", argument: 0, noBits: NAMESPACES, otherwise: "EPERM" },
  { call: "personality", argument: 0, oneOf: PERSONALITIES, otherwise: "EPERM" },
];
