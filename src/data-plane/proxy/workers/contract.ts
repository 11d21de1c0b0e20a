import type { SocketAddress } from '../../../policy/traffic/model/index.ts'
import type { SeenConnections } from '../../../protocols/mesh-link.ts'
import type { Place } from '../clusters/index.ts'
import type { ProxySnapshot } from '../config/index.ts'
import type { IdentityMessage } from '../identity/index.ts'
import type { Drainable } from '../runtime/index.ts'
import type { SharedHandle } from '../transport/index.ts'
import type { ConfigChange } from './config-change.ts'

/** What carries a proxy's connections: a ProxyRuntime in this process, or a WorkerPool. */
export interface Carrier extends Drainable {
  /** In force, in all processes. */
  readonly snapshot: ProxySnapshot
  readonly connections: number | Promise<number>
  readonly metrics: { render(): string | Promise<string> }
  /** Resolves when it is in force. */
  update(snapshot: ProxySnapshot): void | Promise<void>
  heard(): void
  bindGateways(): Promise<void>
  /** What of a gateway's listeners is not bound, and why; undefined: nothing, or it is not known. */
  readonly unbound?: string | undefined
  listenMesh(host: string): Promise<void>
  listenIntercepted(host?: string): Promise<void>
  listenAlias(alias: SocketAddress, destination: SocketAddress): Promise<void>
  closeAlias(alias: SocketAddress): Promise<void>
  stopListening(): Promise<void>
  close(): Promise<void>
}

/** The same for all workers of a proxy. */
export interface WorkerSettings {
  readonly place: Place
  /** Name of the proxy in traces and logs of collectors. */
  readonly service: string
  readonly isGateway: boolean
}

/** What a worker is asked to do, and answers when it has done it. */
export type WorkerCall =
  | { readonly name: 'update'; readonly change: ConfigChange }
  | { readonly name: 'listenMesh'; readonly host: string }
  | { readonly name: 'listenIntercepted'; readonly host?: string }
  | { readonly name: 'listenAlias'; readonly alias: SocketAddress; readonly destination: SocketAddress }
  | { readonly name: 'closeAlias'; readonly alias: SocketAddress }
  | { readonly name: 'drainInbound' | 'stopListening' | 'close' | 'counts' | 'metrics' }

export interface WorkerCounts {
  readonly connections: number
  readonly inboundHttp: number
  /** See Carrier. */
  readonly unbound?: string | undefined
}

/** An error on its way to another process. */
export interface SentError {
  readonly message: string
  readonly code?: string
}

export type ToWorker =
  | { readonly type: 'start'; readonly settings: WorkerSettings }
  | { readonly type: 'identity'; readonly identity: IdentityMessage }
  /** The control plane has spoken: of what this worker wants, these listeners do not exist. */
  | { readonly type: 'heard'; readonly connected: boolean; readonly missing: readonly string[] }
  /** Goes with a handle unless there is an error. */
  | { readonly type: 'socket'; readonly id: number; readonly error?: SentError }
  | { readonly type: 'call'; readonly id: number; readonly call: WorkerCall }

export type FromWorker =
  | { readonly type: 'bind'; readonly id: number; readonly host: string; readonly port: number }
  | { readonly type: 'unbind'; readonly host: string; readonly port: number }
  | { readonly type: 'want' | 'release'; readonly name: string }
  /** Connections that have come in since the last time. */
  | { readonly type: 'seen'; readonly connections: readonly SeenConnections[] }
  | { readonly type: 'done'; readonly id: number; readonly value?: unknown; readonly error?: SentError }

/** A worker as its pool sees it. Messages arrive in the order in which they were sent. */
export interface WorkerProcess {
  readonly pid: number | undefined
  /** Sent to one that has ended it is lost. */
  send(message: ToWorker, handle?: SharedHandle): void
  onMessage(listener: (message: FromWorker) => void): void
  /** Once. */
  onExit(listener: (why: string) => void): void
  kill(): void
}

/** The pool as its worker sees it. */
export interface PoolChannel {
  send(message: FromWorker): void
  onMessage(listener: (message: ToWorker, handle: SharedHandle | undefined) => void): void
}

export function sentError(error: unknown): SentError {
  const { message, code } = error as { readonly message?: unknown; readonly code?: unknown }
  return { message: typeof message === 'string' ? message : String(error), ...(typeof code === 'string' ? { code } : {}) }
}

export function receivedError({ message, code }: SentError): Error {
  return Object.assign(new Error(message), code === undefined ? {} : { code })
}
