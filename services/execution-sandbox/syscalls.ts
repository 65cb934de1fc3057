/** What the filter answers to a call that it blocks. */
export type Answer = 'EPERM' | 'ENOSYS'

/** A system call with its number per architecture (undefined: the architecture has none) and the answer to it. */
export interface BlockedCall {
  readonly name: string
  readonly x64: number
  readonly arm64?: number
  readonly answer: Answer
}

function call(name: string, x64: number, arm64: number | undefined, answer: Answer = 'EPERM'): BlockedCall {
  return { name, x64, arm64, answer }
}

/**
 * The calls that no program in a sandbox needs and that past escapes went through: other processes' memory,
 * namespaces, mounts, keyrings, kernel loading, io_uring. The calls that make memory which belongs to no process
 * (memfd, System V) answer as if the kernel had none, because a limit without control groups cannot count it;
 * likewise clone3, whose flags a filter cannot read, so that the C library falls back to clone. Numbers:
 * asm/unistd_64.h and asm-generic/unistd.h of Linux 6.1.
 */
export const blockedCalls: readonly BlockedCall[] = [
  call('ptrace', 101, 117),
  call('process_vm_readv', 310, 270),
  call('process_vm_writev', 311, 271),
  call('process_madvise', 440, 440),
  call('pidfd_getfd', 438, 438),
  call('kcmp', 312, 272),
  call('unshare', 272, 97),
  call('setns', 308, 268),
  call('clone3', 435, 435, 'ENOSYS'),
  call('mount', 165, 40),
  call('umount2', 166, 39),
  call('pivot_root', 155, 41),
  call('chroot', 161, 51),
  call('open_tree', 428, 428),
  call('move_mount', 429, 429),
  call('fsopen', 430, 430),
  call('fsconfig', 431, 431),
  call('fsmount', 432, 432),
  call('fspick', 433, 433),
  call('mount_setattr', 442, 442),
  call('name_to_handle_at', 303, 264),
  call('open_by_handle_at', 304, 265),
  call('fanotify_init', 300, 262),
  call('quotactl', 179, 60),
  call('quotactl_fd', 443, 443),
  call('swapon', 167, 224),
  call('swapoff', 168, 225),
  call('keyctl', 250, 219),
  call('add_key', 248, 217),
  call('request_key', 249, 218),
  call('bpf', 321, 280),
  call('perf_event_open', 298, 241),
  call('userfaultfd', 323, 282),
  call('io_uring_setup', 425, 425, 'ENOSYS'),
  call('io_uring_enter', 426, 426, 'ENOSYS'),
  call('io_uring_register', 427, 427, 'ENOSYS'),
  call('memfd_create', 319, 279, 'ENOSYS'),
  call('memfd_secret', 447, 447, 'ENOSYS'),
  call('shmget', 29, 194, 'ENOSYS'),
  call('msgget', 68, 186, 'ENOSYS'),
  call('mq_open', 240, 180, 'ENOSYS'),
  call('init_module', 175, 105),
  call('finit_module', 313, 273),
  call('delete_module', 176, 106),
  call('kexec_load', 246, 104),
  call('kexec_file_load', 320, 294),
  call('reboot', 169, 142),
  call('acct', 163, 89),
  call('syslog', 103, 116),
  call('settimeofday', 164, 170),
  call('clock_settime', 227, 112),
  call('clock_adjtime', 305, 266),
  call('adjtimex', 159, 171),
  call('sethostname', 170, 161),
  call('setdomainname', 171, 162),
  call('vhangup', 153, 58),
  call('migrate_pages', 256, 238),
  call('move_pages', 279, 239),
  call('nfsservctl', 180, 42),
  call('lookup_dcookie', 212, 18),
  call('iopl', 172, undefined),
  call('ioperm', 173, undefined),
  call('modify_ldt', 154, undefined),
  call('uselib', 134, undefined),
  call('_sysctl', 156, undefined),
  call('create_module', 174, undefined),
]

/** The calls of which only some arguments are blocked. */
export const guardedCalls = {
  x64: { socket: 41, socketpair: 53, clone: 56, ioctl: 16 },
  arm64: { socket: 198, socketpair: 199, clone: 220, ioctl: 29 },
} as const

/** AF_UNIX, AF_INET, AF_INET6. Not AF_VSOCK, which no namespace holds, nor AF_ALG, AF_NETLINK, AF_PACKET. */
export const allowedSocketFamilies = [1, 2, 10] as const

/** CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
export const namespaceFlags = [
  0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000,
] as const

/** TIOCSTI, which types into a terminal, and TIOCLINUX, which pastes into the console. */
export const blockedIoctls = [0x5412, 0x541c] as const
