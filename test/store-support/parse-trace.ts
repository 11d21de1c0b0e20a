import { Buffer } from 'node:buffer'
import { basename, dirname } from 'node:path'
import type { Ack } from './acks.ts'
import { parseAck } from './acks.ts'

/** What strace has to record, and what `parseTrace` understands or refuses. */
export const TRACED_CALLS =
  'openat,close,lseek,write,writev,pwrite64,pwritev,pwritev2,fdatasync,fsync,ftruncate,fallocate,msync,rename,renameat,renameat2,sync_file_range,copy_file_range,sendfile'

/** What the writer did to its data directory, and what it told. Files go by their names in the directory. */
export type TraceEvent =
  | { readonly type: 'write'; readonly file: string; readonly offset: number; readonly bytes: Buffer; readonly isSync: boolean }
  | { readonly type: 'truncate'; readonly file: string; readonly sizeBytes: number }
  /** Covers the writes among the first `through` events. */
  | { readonly type: 'sync'; readonly file: string; readonly through: number }
  | { readonly type: 'rename'; readonly from: string; readonly to: string }
  | { readonly type: 'syncDirectory' }
  | { readonly type: 'ack'; readonly acks: readonly Ack[] }

interface Descriptor {
  readonly isSync: boolean
  position: number
}

/**
 * Reads the output of `strace -f -y -xx` about the database files in `dir`. A call on them that is not modelled is an
 * error: an unknown call once looked like a corrupt database.
 */
export function parseTrace(trace: string, dir: string): TraceEvent[] {
  const reader = new TraceReader(dir)
  for (const line of trace.split('\n')) if (line !== '') reader.line(line)
  return reader.events
}

class TraceReader {
  readonly events: TraceEvent[] = []
  readonly #dir: string
  readonly #descriptors = new Map<number, Descriptor>()
  /** First half of a call that another thread interrupted, and how many events there were when it began. */
  readonly #unfinished = new Map<string, { readonly text: string; readonly began: number }>()

  constructor(dir: string) {
    this.#dir = dir
  }

  line(line: string): void {
    const [, pid = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    const unfinished = /^(.*) <unfinished \.\.\.>$/.exec(rest)
    if (unfinished) {
      this.#unfinished.set(pid, { text: unfinished[1] as string, began: this.events.length })
      return
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)
    const start = resumed ? this.#unfinished.get(pid) : undefined
    this.#call((start?.text ?? '') + (resumed ? (resumed[1] as string) : rest), start?.began ?? this.events.length)
  }

  #call(text: string, began: number): void {
    const match = /^(\w+)\((.*)\) += (-?\d+)/.exec(text)
    if (!match) return
    const [, name = '', args = '', result = ''] = match
    if (Number(result) < 0) return
    if (name === 'openat') return this.#open(args, Number(result))
    if (name === 'rename') return this.#rename(args)
    const [, number = '', path = ''] = /^(\d+)<([^>]*)>/.exec(args) ?? []
    const descriptor = Number(number)
    if (name === 'write' && descriptor === 1) return this.#told(args)
    const target = unhex(path).toString()
    if (target === this.#dir && name === 'fsync') return void this.events.push({ type: 'syncDirectory' })
    const file = this.#nameOf(target)
    if (file) this.#fileCall({ name, args, file, descriptor, result: Number(result), began })
  }

  #fileCall(call: { name: string; args: string; file: string; descriptor: number; result: number; began: number }): void {
    const { name, args, file, descriptor, result, began } = call
    const state = this.#descriptors.get(descriptor) ?? { isSync: false, position: 0 }
    const write = (offset: number): void => {
      const bytes = Buffer.concat([...args.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map((one) => unhex(one[1] as string)))
      if (bytes.length !== result) throw new Error(`${name} of ${result} bytes was traced with ${bytes.length}`)
      this.events.push({ type: 'write', file, offset, bytes, isSync: state.isSync })
    }
    const last = Number(/, (\d+)$/.exec(args)?.[1])
    switch (name) {
      case 'close':
        this.#descriptors.delete(descriptor)
        return
      case 'lseek':
        state.position = result
        return
      case 'pwrite64':
      case 'pwritev':
        return write(last)
      case 'write':
      case 'writev':
        write(state.position)
        state.position += result
        return
      case 'ftruncate':
        this.events.push({ type: 'truncate', file, sizeBytes: last })
        return
      case 'fsync':
      case 'fdatasync':
        this.events.push({ type: 'sync', file, through: began })
        return
      default:
        throw new Error(`${name} on ${file} is not modelled`)
    }
  }

  #open(args: string, descriptor: number): void {
    const flags = /", ([A-Z_|]+)/.exec(args)?.[1] ?? ''
    this.#descriptors.set(descriptor, { isSync: /O_D?SYNC/.test(flags), position: 0 })
  }

  #rename(args: string): void {
    const [from, to] = [...args.matchAll(/"([^"]*)"/g)].map((one) => this.#nameOf(unhex(one[1] as string).toString()))
    if (from && to) this.events.push({ type: 'rename', from, to })
  }

  #told(args: string): void {
    const lines = unhex(/"([^"]*)"/.exec(args)?.[1] ?? '')
      .toString()
      .split('\n')
    const acks = lines.flatMap((line) => parseAck(line) ?? [])
    if (acks.length > 0) this.events.push({ type: 'ack', acks })
  }

  /** The database files; their lock files hold nothing that has to survive. */
  #nameOf(path: string): string | undefined {
    const name = basename(path)
    return dirname(path) === this.#dir && name.startsWith('store.mdb') && !name.endsWith('-lock') ? name : undefined
  }
}

function unhex(text: string): Buffer {
  return Buffer.from(text.replaceAll('\\x', ''), 'hex')
}
