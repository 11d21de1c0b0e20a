import { createRequire } from 'node:module'
import { platform } from 'node:os'

/** A failed system call. `code` is the errno's name where it is a common one, else `E<number>`. */
export class SystemCallError extends Error {
  override readonly name = 'SystemCallError'
  readonly code: string
  readonly errno: number
  readonly syscall: string

  constructor(syscall: string, errno: number) {
    const code = ERRNO_NAMES[errno] ?? `E${errno}`
    super(`${syscall}: ${code}`)
    this.syscall = syscall
    this.errno = errno
    this.code = code
  }
}

/**
 * System calls that Node has no words for. Each returns what the kernel returned and throws SystemCallError where that is negative.
 * They run on the calling thread: only calls that do not wait belong here. `recv` and `send` come in a second form that runs
 * on a thread of the pool, for those that may take long.
 */
export interface Libc {
  socket(family: number, type: number, protocol: number): number
  bind(fd: number, address: Uint8Array): void
  /** Non-blocking sockets: EINPROGRESS is no error. */
  connect(fd: number, address: Uint8Array): void
  listen(fd: number, backlog: number): void
  setsockopt(fd: number, level: number, name: number, value: Uint8Array): void
  getsockopt(fd: number, level: number, name: number, sizeBytes: number): Uint8Array
  /** Classic BPF (SO_ATTACH_FILTER): what the program does not want never reaches the socket. Eight bytes an instruction, in the machine's order. */
  attachFilter(fd: number, instructions: Uint8Array): void
  send(fd: number, data: Uint8Array, flags: number): number
  sendto(fd: number, data: Uint8Array, flags: number, address: Uint8Array): number
  /** Bytes received. @throws SystemCallError `EAGAIN` when nothing is there and the socket does not block */
  recv(fd: number, into: Uint8Array, flags: number): number
  /** On a thread of the pool, which it occupies until it returns: give the socket a timeout (SO_RCVTIMEO). */
  recvAsync(fd: number, into: Uint8Array, flags: number): Promise<number>
  sendAsync(fd: number, data: Uint8Array, flags: number): Promise<number>
  close(fd: number): void
  setns(fd: number, kind: number): void
  unshare(flags: number): void
  gettid(): number
  mount(source: string, target: string, type: string | null, flags: number): void
  umount(target: string, flags: number): void
}

/** Why system calls cannot be made here; undefined when they can. */
export function libcProblem(): { readonly what: string; readonly fix: string } | undefined {
  try {
    loadLibc()
    return undefined
  } catch (error) {
    return {
      what: `no system calls beyond those of Node: ${error instanceof Error ? error.message : String(error)}`,
      fix: 'use Linux with glibc or musl, and install biplane with its optional dependencies (koffi)',
    }
  }
}

let loaded: Libc | undefined

/** Loads the C library through koffi, an optional dependency. @throws Error when there is none for this machine */
export function loadLibc(): Libc {
  loaded ??= bindLibc()
  return loaded
}

type NativeFunction = ((...args: unknown[]) => number) & {
  async(...args: [...unknown[], (error: Error | null, result: number) => void]): void
}
interface Koffi {
  struct(name: string, fields: Readonly<Record<string, string>>): unknown
  load(path: string | null): { func(signature: string): NativeFunction }
  errno(): number
}

function bindLibc(): Libc {
  if (platform() !== 'linux') throw new Error(`this is ${platform()}, not Linux`)
  const koffi = createRequire(import.meta.url)('koffi') as Koffi
  // the process itself is linked to its C library, whichever it is
  const library = koffi.load(null)
  const native = (signature: string): NativeFunction => library.func(signature)
  const socket = native('int socket(int, int, int)')
  const bind = native('int bind(int, const uint8_t *, uint32_t)')
  const connect = native('int connect(int, const uint8_t *, uint32_t)')
  const listen = native('int listen(int, int)')
  const setsockopt = native('int setsockopt(int, int, int, const uint8_t *, uint32_t)')
  koffi.struct('sock_fprog', { len: 'uint16_t', filter: 'const void *' })
  const setFilter = native('int setsockopt(int, int, int, const sock_fprog *, uint32_t)')
  const getsockopt = native('int getsockopt(int, int, int, _Out_ uint8_t *, _Inout_ uint32_t *)')
  const send = native('long send(int, const uint8_t *, size_t, int)')
  const sendto = native('long sendto(int, const uint8_t *, size_t, int, const uint8_t *, uint32_t)')
  const recv = native('long recv(int, _Out_ uint8_t *, size_t, int)')
  const close = native('int close(int)')
  const setns = native('int setns(int, int)')
  const unshare = native('int unshare(int)')
  const gettid = native('int gettid()')
  const mount = native('int mount(const char *, const char *, const char *, unsigned long, const void *)')
  const umount2 = native('int umount2(const char *, int)')
  const checked = (syscall: string, result: number): number => {
    if (result < 0) throw new SystemCallError(syscall, koffi.errno())
    return result
  }
  const later = (syscall: string, call: NativeFunction, args: readonly unknown[]): Promise<number> =>
    new Promise((resolve, reject) => {
      call.async(...args, (error, result) => {
        if (error) reject(error)
        else if (result < 0) reject(new SystemCallError(syscall, koffi.errno()))
        else resolve(result)
      })
    })
  return {
    socket: (family, type, protocol) => checked('socket', socket(family, type, protocol)),
    bind: (fd, address) => void checked('bind', bind(fd, address, address.length)),
    connect(fd, address) {
      if (connect(fd, address, address.length) < 0 && koffi.errno() !== EINPROGRESS) throw new SystemCallError('connect', koffi.errno())
    },
    listen: (fd, backlog) => void checked('listen', listen(fd, backlog)),
    setsockopt: (fd, level, name, value) => void checked('setsockopt', setsockopt(fd, level, name, value, value.length)),
    getsockopt(fd, level, name, sizeBytes) {
      const value = new Uint8Array(sizeBytes)
      const length = [sizeBytes]
      checked('getsockopt', getsockopt(fd, level, name, value, length))
      return value.subarray(0, length[0])
    },
    attachFilter(fd, instructions) {
      // SOL_SOCKET, SO_ATTACH_FILTER; a struct of a length and a pointer
      checked('setsockopt', setFilter(fd, 1, 26, { len: instructions.length / 8, filter: instructions }, 16))
    },
    send: (fd, data, flags) => checked('send', send(fd, data, data.length, flags)),
    sendto: (fd, data, flags, address) => checked('sendto', sendto(fd, data, data.length, flags, address, address.length)),
    recv: (fd, into, flags) => checked('recv', recv(fd, into, into.length, flags)),
    recvAsync: (fd, into, flags) => later('recv', recv, [fd, into, into.length, flags]),
    sendAsync: (fd, data, flags) => later('send', send, [fd, data, data.length, flags]),
    close: (fd) => void checked('close', close(fd)),
    setns: (fd, kind) => void checked('setns', setns(fd, kind)),
    unshare: (flags) => void checked('unshare', unshare(flags)),
    gettid: () => gettid(),
    mount: (source, target, type, flags) => void checked('mount', mount(source, target, type, flags, null)),
    umount: (target, flags) => void checked('umount2', umount2(target, flags)),
  }
}

const EINPROGRESS = 115

const ERRNO_NAMES: Readonly<Record<number, string>> = {
  1: 'EPERM',
  2: 'ENOENT',
  3: 'ESRCH',
  4: 'EINTR',
  7: 'E2BIG',
  9: 'EBADF',
  11: 'EAGAIN',
  12: 'ENOMEM',
  13: 'EACCES',
  14: 'EFAULT',
  16: 'EBUSY',
  17: 'EEXIST',
  19: 'ENODEV',
  22: 'EINVAL',
  28: 'ENOSPC',
  31: 'EMLINK',
  34: 'ERANGE',
  39: 'ENOTEMPTY',
  40: 'ELOOP',
  61: 'ENODATA',
  71: 'EPROTO',
  90: 'EMSGSIZE',
  92: 'ENOPROTOOPT',
  93: 'EPROTONOSUPPORT',
  95: 'EOPNOTSUPP',
  97: 'EAFNOSUPPORT',
  98: 'EADDRINUSE',
  99: 'EADDRNOTAVAIL',
  100: 'ENETDOWN',
  101: 'ENETUNREACH',
  104: 'ECONNRESET',
  105: 'ENOBUFS',
  110: 'ETIMEDOUT',
  111: 'ECONNREFUSED',
  113: 'EHOSTUNREACH',
  114: 'EALREADY',
  115: 'EINPROGRESS',
}

/** The name of an errno, for the negative numbers in netlink acknowledgements. */
export function errnoName(errno: number): string {
  return ERRNO_NAMES[errno] ?? `E${errno}`
}
