import { connect } from 'node:net'
import type { ProbeOutcome } from './probe-schedule.ts'

/** Passes when a TCP connection opens. Source: kubernetes/pkg/probe/tcp. */
export function probeTcp(target: { readonly host: string; readonly port: number }, timeoutMs: number): Promise<ProbeOutcome> {
  return new Promise((resolve) => {
    const socket = connect(target.port, target.host)
    socket.setTimeout(timeoutMs)
    const finish = (outcome: ProbeOutcome): void => {
      socket.destroy()
      resolve(outcome)
    }
    socket.on('connect', () => finish({ ok: true }))
    socket.on('timeout', () => finish({ ok: false, message: `dial tcp ${target.host}:${target.port}: i/o timeout` }))
    socket.on('error', (error: Error) => finish({ ok: false, message: `dial tcp ${target.host}:${target.port}: ${error.message}` }))
  })
}
