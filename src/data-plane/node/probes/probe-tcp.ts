import { connect as connectTcp, type Socket } from 'node:net'
import type { ProbeOutcome } from './probe-schedule.ts'

/** Begins to connect, from where the probe is to come from. */
export type ProbeConnect = (target: { readonly host: string; readonly port: number }) => Socket

/** Passes when a TCP connection opens. Source: kubernetes/pkg/probe/tcp. */
export function probeTcp(
  target: { readonly host: string; readonly port: number; readonly connect?: ProbeConnect | undefined },
  timeoutMs: number,
): Promise<ProbeOutcome> {
  const { connect = connectTcp } = target
  return new Promise((resolve) => {
    const socket = connect({ host: target.host, port: target.port })
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
