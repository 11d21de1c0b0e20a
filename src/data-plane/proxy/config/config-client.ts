import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2'
import { createConnection } from 'node:net'
import type { Duplex } from 'node:stream'
import { backoffMs, type Random } from '../../../base/backoff.ts'
import type { Clock, Timer } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import { decodeDeltaResponse, encodeDeltaRequest, type DeltaDiscoveryRequest, type Node } from '../../../protocols/discovery/index.ts'
import { grpcFrame, GrpcReader, grpcStatusOf } from '../../../protocols/grpc-frames/index.ts'
import type { ResourceType } from '../../../policy/traffic/model/index.ts'
import { moveAside, readConfigFile, writeConfigFile } from './config-file.ts'
import { ConfigState } from './config-state.ts'
import type { ProxySnapshot } from './proxy-snapshot.ts'

const DELTA_PATH = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources'
const BACKOFF = { baseMs: 100, maxMs: 30_000, jitter: 0.5 }
/** A stream that lived that long was a good one: back-off starts anew. */
const GOOD_MS = 10_000
const PING_MS = 15_000
const SAVE_MS = 1_000
/** google.rpc.Code. */
const INTERNAL = 13

export interface ConfigClientOptions {
  readonly node: Node
  /** Path of the node agent's socket, or how else the control plane is dialled (TLS included). Called for each attempt. */
  readonly dial: string | (() => Duplex)
  /** Headers of the stream, such as `authorization`; read anew for each stream. */
  readonly headers: () => Promise<Readonly<Record<string, string>>>
  /** Where the last good configuration is kept; undefined: nowhere. */
  readonly file?: string
  /**
   * A new whole configuration. The control plane is told that it was taken when what this returns resolves: when it is in force, though that be elsewhere; a rejection
   * refuses it.
   */
  readonly onSnapshot: (snapshot: ProxySnapshot) => void | Promise<void>
  /** The control plane has said something, though the configuration may be the same: that a resource does not exist, for one. */
  readonly onResponse?: () => void
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Bytes of one message. Default 4 MiB. */
  readonly maxMessageBytes?: number
  /** For tests of what a full disk does. Default: writes the file. */
  readonly write?: typeof writeConfigFile
}

export interface ConfigStatus {
  readonly connected: boolean
  /** Why not, the last time. */
  readonly reason?: string
  /** Milliseconds since 1970 of the last response. */
  readonly lastContactMs?: number
  /** Why the configuration could not be saved, the last time. */
  readonly saveError?: string
}

/** Keeps a proxy's configuration up to date from the control plane, and starts from the disk where that cannot be reached. */
export class ConfigClient {
  readonly #options: ConfigClientOptions
  readonly #state: ConfigState = new ConfigState()
  #status: ConfigStatus = { connected: false }
  #session: ClientHttp2Session | undefined
  #stream: ClientHttp2Stream | undefined
  #timers: Set<Timer> = new Set()
  #failures = 0
  #closed = false
  #told: ProxySnapshot | undefined
  /** Until what was told is in force, with why it is not; undefined: it is. */
  #taking: Promise<string | undefined> | undefined
  #saving: Promise<void> | undefined
  #unsaved = false
  #followDue = false

  constructor(options: ConfigClientOptions) {
    this.#options = options
  }

  get snapshot(): ProxySnapshot {
    return this.#state.snapshot
  }

  get status(): ConfigStatus {
    return this.#status
  }

  /** Reads the disk, tells what was there, and dials. Resolves when the disk has been read. */
  async start(): Promise<void> {
    const { file } = this.#options
    if (file !== undefined) await this.#load(file)
    if (!this.#closed) this.#dial()
  }

  /** `*` as a name: all of the type. Counted: release as often. */
  want(type: ResourceType, name: string): void {
    this.#state.want(type, name)
    this.#follow()
  }

  release(type: ResourceType, name: string): void {
    this.#state.release(type, name)
    this.#follow()
  }

  /** Whether the control plane has said that a resource does not exist. */
  isMissing(type: ResourceType, name: string): boolean {
    return this.#state.isMissing(type, name)
  }

  /** Ends the stream and waits for the disk. */
  async close(): Promise<void> {
    this.#closed = true
    for (const timer of this.#timers) timer.cancel()
    this.#session?.destroy()
    await this.#saving
    if (this.#unsaved) await this.#save()
  }

  async #load(file: string): Promise<void> {
    const { log } = this.#options
    try {
      const saved = await readConfigFile(file)
      if (!saved) return
      const trial = new ConfigState()
      trial.restore(saved)
      this.#state.restore(saved)
      this.#tell()
      this.#unsaved = false
    } catch (error) {
      const aside = await moveAside(file).catch(() => undefined)
      log.error('the saved configuration is damaged and not used', { file, reason: messageOf(error), movedTo: aside })
    }
  }

  #dial(): void {
    const { dial, clock, log } = this.#options
    const started = clock.monotonic()
    let over = false
    const failed = (reason: string): void => {
      if (over) return
      over = true
      this.#stream = undefined
      this.#session = undefined
      session.destroy()
      if (this.#closed) return
      this.#failures = clock.monotonic() - started > GOOD_MS ? 1 : this.#failures + 1
      this.#status = { ...this.#status, connected: false, reason }
      log.warn('no stream to the control plane: going on with what is there', { reason })
      this.#after(backoffMs(this.#failures, BACKOFF, this.#options.random), () => this.#dial())
    }
    const session = connect('http://control-plane', {
      createConnection: () => (typeof dial === 'string' ? createConnection(dial) : dial()),
    })
    this.#session = session
    session.on('error', (error) => failed(`the control plane cannot be reached: ${error.message}`))
    session.on('close', () => failed('the connection ended'))
    session.on('goaway', () => failed('the control plane is going'))
    this.#options.headers().then(
      (headers) => {
        if (!over && !session.destroyed) this.#open(session, headers, failed)
      },
      (error: unknown) => failed(`no credentials: ${messageOf(error)}`),
    )
    this.#ping(session, failed)
  }

  #open(session: ClientHttp2Session, headers: Readonly<Record<string, string>>, failed: (reason: string) => void): void {
    const stream = session.request({
      ':method': 'POST',
      ':path': DELTA_PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    })
    const reader = new GrpcReader(this.#options.maxMessageBytes)
    const ended = (status: Record<string, unknown>): void => {
      const { code, message } = grpcStatusOf(status) ?? {}
      if (code !== undefined) failed(`the control plane ended the stream with gRPC status ${code}: ${message ?? ''}`)
    }
    stream.on('response', ended)
    stream.on('trailers', ended)
    stream.on('error', (error) => failed(error.message))
    stream.on('close', () => failed('the stream ended'))
    stream.on('data', (chunk: Buffer) => {
      const answers: DeltaDiscoveryRequest[] = []
      try {
        for (const message of reader.push(chunk)) answers.push(this.#state.receive(decodeDeltaResponse(message)))
      } catch (error) {
        stream.close(constants.NGHTTP2_PROTOCOL_ERROR)
        return failed(`the control plane sent no discovery responses: ${messageOf(error)}`)
      }
      this.#status = { connected: true, lastContactMs: this.#options.clock.now() }
      const requests = this.#state.follow()
      this.#tell()
      this.#answer(stream, answers)
      for (const request of requests) this.#send(stream, request)
      this.#options.onResponse?.()
    })
    this.#stream = stream
    const [first, ...rest] = this.#state.connect()
    if (first) this.#send(stream, { ...first, node: this.#options.node })
    for (const request of rest) this.#send(stream, request)
    this.#introduced = first !== undefined
  }

  /** The node has been named on this stream. */
  #introduced = false

  #follow(): void {
    if (this.#followDue) return
    this.#followDue = true
    queueMicrotask(() => {
      this.#followDue = false
      const stream = this.#stream
      if (!stream || stream.destroyed) return
      for (const request of this.#state.follow()) {
        this.#send(stream, this.#introduced ? request : { ...request, node: this.#options.node })
        this.#introduced = true
      }
      this.#tell()
    })
  }

  #send(stream: ClientHttp2Stream, request: DeltaDiscoveryRequest): void {
    if (request.errorDetail)
      this.#options.log.error('configuration refused', { type: request.typeUrl, reason: request.errorDetail.message })
    if (!stream.destroyed) stream.write(grpcFrame(encodeDeltaRequest(request)))
  }

  #tell(): void {
    const { snapshot } = this.#state
    if (snapshot === this.#told) return
    this.#told = snapshot
    const taken = this.#options.onSnapshot(snapshot)
    if (taken) this.#take(taken)
    if (this.#options.file === undefined || this.#unsaved) return
    this.#unsaved = true
    this.#after(SAVE_MS, () => void this.#save())
  }

  #take(taken: Promise<void>): void {
    const before = this.#taking
    const taking: Promise<string | undefined> = Promise.all([before, taken.then(() => undefined, messageOf)]).then(([earlier, problem]) => {
      if (this.#taking === taking) this.#taking = undefined
      return problem ?? earlier
    })
    this.#taking = taking
  }

  /** One after another, as responses came. */
  #answer(stream: ClientHttp2Stream, answers: readonly DeltaDiscoveryRequest[]): void {
    const send = (problem?: string): void => {
      for (const answer of answers)
        this.#send(stream, problem === undefined ? answer : { ...answer, errorDetail: { code: INTERNAL, message: problem } })
    }
    if (this.#taking) void this.#taking.then(send)
    else send()
  }

  async #save(): Promise<void> {
    const { file, log, write = writeConfigFile } = this.#options
    if (file === undefined || this.#saving) return
    this.#unsaved = false
    this.#saving = write(file, this.#state.save()).then(
      () => {
        const { saveError: _, ...status } = this.#status
        this.#status = status
      },
      (error: unknown) => {
        this.#status = { ...this.#status, saveError: messageOf(error) }
        log.error('the configuration cannot be saved: going on without', { file, reason: messageOf(error) })
      },
    )
    await this.#saving
    this.#saving = undefined
  }

  #ping(session: ClientHttp2Session, failed: (reason: string) => void): void {
    this.#after(PING_MS, () => {
      if (session.destroyed) return
      const dead = this.#after(PING_MS, () => failed(`the control plane did not answer a ping for ${PING_MS} ms`))
      session.ping((error) => {
        dead.cancel()
        if (!error) this.#ping(session, failed)
      })
    })
  }

  #after(delayMs: number, fn: () => void): Timer {
    const timer = this.#options.clock.after(delayMs, () => {
      this.#timers.delete(timer)
      fn()
    })
    this.#timers.add(timer)
    return timer
  }
}
