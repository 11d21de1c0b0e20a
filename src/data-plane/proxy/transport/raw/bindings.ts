import type { Buffer } from 'node:buffer'

/**
 * What Node has under net.Socket, as far as it is used here. Not a public interface of Node (`process.binding` is deprecated, DEP0111): whoever uses it
 * asks `loadBindings` first and has another way where it says no. Checked against Node 20 to 26.
 */
export interface StreamHandle {
  readonly fd?: number
  /** Called with `this` being the handle; how many bytes came is in `state[readIndex]`. @returns the buffer of the next reads, where that is to be another one */
  onread: (this: StreamHandle) => Buffer | undefined
  /** Kept by net.Socket: whether it has started to read. */
  reading?: boolean
  /** Who reads. Ours: not known to Node. */
  biplaneOwner?: unknown
  readStart(): number
  readStop(): number
  /** Bytes go here instead of into a new buffer for each read. */
  useUserBuffer(buffer: Buffer): void
  /** 0, or a negative error. What the kernel did not take at once is taken from `bytes` later: then `state[asyncIndex]` is 1. */
  writeBuffer(request: WriteRequest, bytes: Buffer): number
  shutdown(request: ShutdownRequest): number
  close(done?: () => void): void
  setNoDelay?(on: boolean): number
  getpeername?(into: Partial<HandleAddress>): number
  getsockname?(into: Partial<HandleAddress>): number
}

export interface HandleAddress {
  address: string
  port: number
}

export interface WriteRequest {
  oncomplete: (this: WriteRequest, status: number) => void
  /** Ours: not known to Node. */
  owner?: { writeCompleted(status: number): void }
}

export interface ShutdownRequest {
  oncomplete: (status: number) => void
}

export interface Bindings {
  readonly Write: new () => WriteRequest
  readonly Shutdown: new () => ShutdownRequest
  /** Results of the last call on any stream. */
  readonly state: Int32Array
  readonly readIndex: number
  readonly asyncIndex: number
}

type Raw = Record<string, unknown>

let known: Bindings | { readonly problem: string } | undefined

/** @returns the bindings, or why this Node does not have them. Never throws. */
export function loadBindings(): Bindings | { readonly problem: string } {
  return (known ??= load())
}

function load(): Bindings | { readonly problem: string } {
  const binding = (process as unknown as { readonly binding?: (name: string) => Raw }).binding
  if (!binding) return { problem: 'this Node has no process.binding' }
  try {
    const [tcp, pipe, stream] = [binding('tcp_wrap')['TCP'], binding('pipe_wrap')['Pipe'], binding('stream_wrap')]
    const requests = { Write: stream['WriteWrap'], Shutdown: stream['ShutdownWrap'] }
    for (const [name, value] of Object.entries({ TCP: tcp, Pipe: pipe, ...requests }))
      if (typeof value !== 'function') return { problem: `this Node has no ${name} handle` }
    const found = { state: stream['streamBaseState'], readIndex: stream['kReadBytesOrError'], asyncIndex: stream['kLastWriteWasAsync'] }
    if (!ArrayBuffer.isView(found.state) || typeof found.readIndex !== 'number' || typeof found.asyncIndex !== 'number')
      return { problem: 'this Node does not tell what became of a read or a write' }
    for (const type of [tcp, pipe]) {
      const { prototype } = type as { readonly prototype: Raw }
      for (const method of ['readStart', 'readStop', 'useUserBuffer', 'writeBuffer', 'shutdown'])
        if (typeof prototype[method] !== 'function') return { problem: `handles of this Node have no ${method}` }
    }
    return { ...requests, ...found } as unknown as Bindings
  } catch (error) {
    return { problem: `the bindings of this Node cannot be loaded: ${(error as Error).message}` }
  }
}
