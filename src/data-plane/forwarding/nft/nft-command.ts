import { spawn } from 'node:child_process'
import { NftError } from './nft-error.ts'

const MESSAGE_CHARS = 2000
const OUTPUT_BYTES = 512 * 1024 * 1024

export interface NftCommand {
  readonly args: readonly string[]
  readonly input: string
  /** Path of a network namespace. */
  readonly namespace: string | undefined
  readonly timeoutMs: number
  /** Told when the process is there; its end is told by the promise. */
  readonly onPid?: (pid: number) => void
}

/** Runs `nft` to its end. @returns what it printed. @throws {NftError} */
export function runNftCommand(command: NftCommand): Promise<string> {
  // nsenter becomes nft, so that the pid is that of nft; it comes with every util-linux
  const argv =
    command.namespace === undefined ? ['nft', ...command.args] : ['nsenter', `--net=${command.namespace}`, 'nft', ...command.args]
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0] as string, argv.slice(1), {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
    })
    if (child.pid !== undefined) command.onPid?.(child.pid)
    const output: Buffer[] = []
    let outputBytes = 0
    let errors = ''
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      child.kill('SIGKILL')
    }, command.timeoutMs)
    child.stdout.on('data', (chunk: Buffer) => {
      outputBytes += chunk.length
      if (outputBytes <= OUTPUT_BYTES) output.push(chunk)
      else child.kill('SIGKILL')
    })
    child.stderr.on('data', (chunk: Buffer) => {
      if (errors.length < MESSAGE_CHARS) errors += chunk.toString()
    })
    child.stdin.on('error', () => {
      // it ended before it had read all: its exit code says why
    })
    child.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer)
      reject(new NftError(`${argv[0]} cannot be started: ${error.code}; install nftables`, 'NoNftCommand'))
    })
    child.on('close', (code) => {
      clearTimeout(timer)
      if (code === 0) resolve(Buffer.concat(output).toString())
      else if (isLate) reject(new NftError(`nft did not end within ${command.timeoutMs} ms`, 'ETIMEDOUT'))
      else if (code === 127) reject(new NftError(errors.trim(), 'NoNftCommand'))
      else reject(new NftError(errors.trim().slice(0, MESSAGE_CHARS) || `nft ended with ${code}`, codeOf(errors)))
    })
    child.stdin.end(command.input)
  })
}

const CODES: readonly (readonly [string, string])[] = [
  ['No such file or directory', 'ENOENT'],
  ['File exists', 'EEXIST'],
  ['Device or resource busy', 'EBUSY'],
  ['Operation not permitted', 'EPERM'],
  ['Operation not supported', 'EOPNOTSUPP'],
  ['Permission denied', 'EACCES'],
  ['Too many links', 'EMLINK'],
  ['Too many levels of symbolic links', 'ELOOP'],
  ['No buffer space available', 'ENOBUFS'],
  ['Cannot allocate memory', 'ENOMEM'],
  ['Message too long', 'EMSGSIZE'],
  ['Numerical result out of range', 'ERANGE'],
  ['No space left on device', 'ENOSPC'],
  ['Too many open files in system', 'ENFILE'],
]

/** nft says errors of the kernel in words only. */
function codeOf(errors: string): string {
  return CODES.find(([words]) => errors.includes(words))?.[1] ?? 'EINVAL'
}
