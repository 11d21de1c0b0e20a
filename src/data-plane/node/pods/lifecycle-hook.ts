import { sleep, type Clock } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { LifecycleHandler, Pod } from '../../../api/generated/types.ts'
import { probeHttp } from '../probes/probe-http.ts'
import { probeTcp } from '../probes/probe-tcp.ts'
import { resolvePort } from '../probes/probe-schedule.ts'
import type { Runtime } from '../runtime.ts'
import { containerRoles } from './pod-view.ts'

export interface HookCall {
  readonly container: string
  readonly id: string
  readonly hook: 'postStart' | 'preStop'
  readonly timeoutMs: number
  /** Ends a `sleep` early; other hooks end with their container. */
  readonly signal?: AbortSignal
}

/** Runs postStart and preStop handlers: exec, httpGet, tcpSocket and sleep. */
export class HookRunner {
  readonly #runtime: Runtime
  readonly #clock: Clock

  constructor(runtime: Runtime, clock: Clock) {
    this.#runtime = runtime
    this.#clock = clock
  }

  /** @returns what went wrong, or undefined */
  async run(pod: Pod, call: HookCall): Promise<string | undefined> {
    const container = containerRoles(pod).find((candidate) => candidate.spec.name === call.container)?.spec
    const handler = container?.lifecycle?.[call.hook]
    if (!container || !handler) return undefined
    try {
      return await this.#handle(handler, call, { ip: pod.status?.podIP ?? '127.0.0.1', port: (value) => resolvePort(value, container) })
    } catch (error) {
      return messageOf(error)
    }
  }

  async #handle(
    handler: LifecycleHandler,
    call: HookCall,
    target: { readonly ip: string; readonly port: (value: number | string) => number | undefined },
  ): Promise<string | undefined> {
    if (handler.sleep) {
      await sleep(this.#clock, Math.min(handler.sleep.seconds * 1000, call.timeoutMs), call.signal)
      return undefined
    }
    if (handler.exec) {
      const result = await this.#runtime.execSync(call.id, handler.exec.command ?? [], call.timeoutMs)
      return result.exitCode === 0
        ? undefined
        : `command exited with ${result.exitCode}: ${Buffer.concat([result.stderr, result.stdout]).toString().slice(0, 1024)}`
    }
    const action = handler.httpGet ?? handler.tcpSocket
    if (!action) return undefined
    const port = target.port(action.port)
    if (port === undefined) return `no container port is named "${action.port}"`
    const outcome = handler.httpGet
      ? await probeHttp(handler.httpGet, { host: target.ip, port }, call.timeoutMs)
      : await probeTcp({ host: action.host ?? target.ip, port }, call.timeoutMs)
    return outcome.ok ? undefined : outcome.message
  }
}
