import type { Random } from '../../../base/backoff.ts'
import type { Clock, Timer } from '../../../base/clock.ts'
import { compareIp, formatIp, type IpBytes } from '../../../base/ip.ts'
import type { Logger } from '../../../base/log.ts'
import { decodeBfdPacket, encodeBfdPacket, type BfdPacket, type BfdState } from '../../../protocols/bfd/index.ts'
import type { BfdConfig } from '../config/index.ts'
import type { BfdListener, BfdPaths, BfdTarget, BfdWatch } from './bfd-paths.ts'
import type { BfdSender, BfdSockets } from './bfd-sockets.ts'
import { newBfdSession, stepBfd, type BfdEvent, type BfdOptions } from './step-bfd.ts'

export interface BfdDependencies {
  readonly sockets: BfdSockets
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** All BFD sessions of a node: one listening socket per family and kind, one sending socket per session. */
export class BfdManager implements BfdPaths {
  readonly #dependencies: BfdDependencies
  readonly #sessions = new Map<number, Session>()
  readonly #listeners = new Map<string, { close(): void }>()

  constructor(dependencies: BfdDependencies) {
    this.#dependencies = dependencies
  }

  /** @throws SystemCallError when the ports are taken */
  watch(target: BfdTarget, config: BfdConfig, listener: BfdListener): BfdWatch {
    const family = target.address.length === 4 ? 4 : 6
    this.#listen(family, config.multihop)
    const discriminator = this.#discriminator()
    const session = new Session({ ...this.#dependencies, target, config, listener, discriminator })
    this.#sessions.set(discriminator, session)
    session.handle({ kind: 'start' })
    return {
      get state() {
        return session.state
      },
      close: () => {
        this.#sessions.delete(discriminator)
        session.close()
      },
    }
  }

  /** Resolves when the last packets are on their way. */
  async close(): Promise<void> {
    for (const session of this.#sessions.values()) session.close()
    this.#sessions.clear()
    for (const listener of this.#listeners.values()) listener.close()
    this.#listeners.clear()
    // sessions close their sockets in the turn before
    await new Promise((resolve) => setImmediate(resolve))
  }

  #listen(family: 4 | 6, multihop: boolean): void {
    const key = `${family} ${multihop}`
    if (this.#listeners.has(key)) return
    const receive = (bytes: Uint8Array, remote: IpBytes): void => {
      const packet = decodeBfdPacket(bytes)
      if (packet) this.#find(packet, remote, multihop)?.handle({ kind: 'packet', packet })
    }
    this.#listeners.set(key, this.#dependencies.sockets.listen(family, multihop, receive))
  }

  #find(packet: BfdPacket, remote: IpBytes, multihop: boolean): Session | undefined {
    const isFrom = (session: Session): boolean => session.multihop === multihop && compareIp(session.address, remote) === 0
    if (packet.yourDiscriminator === 0) return [...this.#sessions.values()].find(isFrom)
    const session = this.#sessions.get(packet.yourDiscriminator)
    return session && isFrom(session) ? session : undefined
  }

  #discriminator(): number {
    for (;;) {
      const value = 1 + Math.floor(this.#dependencies.random() * 0xffff_fffe)
      if (!this.#sessions.has(value)) return value
    }
  }
}

interface SessionParts extends BfdDependencies {
  readonly target: BfdTarget
  readonly config: BfdConfig
  readonly listener: BfdListener
  readonly discriminator: number
}

class Session {
  readonly #parts: SessionParts
  readonly #options: BfdOptions
  readonly #sender: BfdSender
  readonly #timers = new Map<string, Timer>()
  #state = newBfdSession()
  /** Of the last packet while a timer runs: a late timer must not be taken for a dead path. */
  #heardAtMs = 0

  constructor(parts: SessionParts) {
    this.#parts = parts
    const { minTxMs, minRxMs, detectMultiplier, multihop } = parts.config
    this.#options = { discriminator: parts.discriminator, minTxMs, minRxMs, detectMultiplier }
    this.#sender = parts.sockets.sender(parts.target, multihop)
  }

  get state(): BfdState {
    return this.#state.state
  }

  get address(): IpBytes {
    return this.#parts.target.address
  }

  get multihop(): boolean {
    return this.#parts.config.multihop
  }

  handle(event: BfdEvent): void {
    const { clock, random, listener, log, config } = this.#parts
    if (event.kind === 'packet') this.#heardAtMs = clock.monotonic()
    const before = this.#state.state
    const stepped = stepBfd(this.#options, this.#state, event)
    this.#state = stepped.state
    for (const action of stepped.actions) {
      switch (action.kind) {
        case 'send':
          this.#sender.send(encodeBfdPacket(action.packet))
          break
        case 'set-timer': {
          const { timer, ms, jitterPercent } = action
          const part = jitterPercent === undefined ? 1 : 0.75 + (random() * (jitterPercent - 75)) / 100
          this.#timers.get(timer)?.cancel()
          this.#timers.set(
            timer,
            clock.after(ms * part, () => this.#onTimer(timer)),
          )
          break
        }
        case 'cancel-timer':
          this.#timers.get(action.timer)?.cancel()
          break
        case 'up':
          log.info('BFD is up', { neighbor: formatIp(this.address) })
          break
        case 'down':
          log.warn('BFD is down', { neighbor: formatIp(this.address), reason: action.reason })
          if (!action.deliberate) listener.down(action.reason, config.graceful && !this.#state.remoteIndependent)
      }
    }
    if (this.#state.state !== before) listener.changed(this.#state.state)
  }

  close(): void {
    this.handle({ kind: 'stop' })
    for (const timer of this.#timers.values()) timer.cancel()
    // the last packet is on its way before the socket goes
    setImmediate(() => this.#sender.close())
  }

  #onTimer(timer: 'transmit' | 'detect'): void {
    if (timer === 'transmit') return this.handle({ kind: 'timer', timer })
    const heardAtMs = this.#heardAtMs
    // this process may have been stalled: packets that came meanwhile are read first
    setImmediate(() =>
      setImmediate(() => {
        if (this.#heardAtMs === heardAtMs && this.#state.state !== 'AdminDown') this.handle({ kind: 'timer', timer })
      }),
    )
  }
}
