import { execFile, type ChildProcess } from 'node:child_process'
import { connect } from 'node:net'
import { promisify } from 'node:util'
import { stopProcess } from '../harness/control-plane.ts'
import { quantile } from '../harness/report.ts'
import { usageOf } from '../harness/usage.ts'
import { LOAD_CORE } from './peers.ts'

/** What one window of load has found out. */
export interface Window {
  /** CPU microseconds of the proxy for each request; of both proxies where there are two. */
  readonly micros: number
  readonly perSecond: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  /** Share of the window that the proxy's core was busy with it: below 0.9 latencies tell of the load alone. */
  readonly busy: number
  /** Requests without a good answer. */
  readonly failed: number
}

/** Something under load: what it is called, where it listens, the processes that are counted. */
export interface Target {
  readonly name: string
  readonly port: number
  readonly children: readonly ChildProcess[]
}

const cpuOf = (target: Target): number => target.children.reduce((sum, { pid }) => sum + usageOf(pid as number).cpuMs, 0)

/** Resolves when something listens. @throws after ten seconds */
export async function listening(port: number): Promise<void> {
  for (const until = performance.now() + 10_000; performance.now() < until;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy()
        resolve(true)
      })
      socket.on('error', () => resolve(false))
    })
    if (isOpen) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`nothing listens on port ${port}`)
}

/** HTTP/1.1, 64 connections kept alive, for some seconds. @throws Error when requests fail */
export async function wrk(target: Target, path: string, seconds: number): Promise<Window> {
  const before = cpuOf(target)
  const argv = ['-c', String(LOAD_CORE), 'wrk', '-t1', '-c64', '--latency', `-d${seconds}s`, `http://127.0.0.1:${target.port}${path}`]
  const { stdout } = await promisify(execFile)('taskset', argv, { timeout: 60_000 })
  const [, requests, took] = /(\d+) requests in ([\d.]+)s/.exec(stdout) ?? []
  if (!Number(requests) || /Non-2xx|Socket errors/.test(stdout)) throw new Error(`${target.name}: requests failed:\n${stdout}`)
  const cpuMs = cpuOf(target) - before
  return {
    micros: (cpuMs * 1_000) / Number(requests),
    perSecond: Number(requests) / Number(took),
    p50: milliseconds(stdout, '50%'),
    p99: milliseconds(stdout, '99%'),
    busy: cpuMs / (Number(took) * 1_000),
    failed: 0,
  }
}

function milliseconds(text: string, name: string): number {
  const [, number, unit] = new RegExp(`${name}\\s+([\\d.]+)(us|ms|s)`).exec(text) ?? []
  return Number(number) * ({ us: 0.001, ms: 1, s: 1_000 }[unit ?? 'ms'] ?? 1)
}

/** HTTP/2, 16 connections with 10 streams each. @param args of h2load, besides @throws Error when more than a few requests fail */
export async function h2load(target: Target, path: string, requests: number, args: readonly string[] = []): Promise<Window> {
  const before = cpuOf(target)
  const url = `http://127.0.0.1:${target.port}${path}`
  const argv = ['-c', String(LOAD_CORE), 'h2load', '-c16', '-m10', `-n${requests}`, ...args, url]
  const begin = performance.now()
  const { stdout } = await promisify(execFile)('taskset', argv, { timeout: 60_000 })
  const took = performance.now() - begin
  const good = Number(/status codes: (\d+) 2xx/.exec(stdout)?.[1] ?? 0)
  if (good < requests * (1 - MOST_FAILED)) throw new Error(`${target.name}: requests failed:\n${stdout}`)
  const cpuMs = cpuOf(target) - before
  const perSecond = Number(/([\d.]+) req\/s/.exec(stdout)?.[1])
  // h2load says least, most, mean; no quantiles
  return { micros: (cpuMs * 1_000) / good, perSecond, p50: Number.NaN, p99: Number.NaN, busy: cpuMs / took, failed: requests - good }
}

/** Share: HAProxy 2.6 loses a few streams where it speaks HTTP/2 in TLS to another HAProxy. They are told with the result. */
const MOST_FAILED = 0.05

/** Arguments of h2load for a unary call. @param body file of the message */
export const grpcCall = (body: string): readonly string[] => ['-d', body, '-H', 'content-type: application/grpc', '-H', 'te: trailers']

/** Rounds before it counts: compilers and pools need some seconds. */
const WARM_UP = 3

/**
 * Rounds in which every target has its turn at every load, so that what else the machine does hits all alike. The first rounds warm up.
 * @returns windows by `load target`
 */
export async function interleave<Load extends { readonly name: string }>(
  targets: readonly Target[],
  loads: readonly Load[],
  rounds: number,
  measure: (target: Target, load: Load) => Promise<Window>,
): Promise<Results> {
  const results = new Results()
  for (let round = -WARM_UP; round < rounds; round++) {
    for (const load of loads) {
      for (const target of targets) {
        const window = await measure(target, load)
        if (round >= 0) results.add(load.name, target.name, window)
      }
    }
  }
  return results
}

export class Results {
  readonly #windows = new Map<string, Window[]>()

  add(load: string, target: string, window: Window): void {
    const key = `${load} ${target}`
    this.#windows.set(key, [...(this.#windows.get(key) ?? []), window])
  }

  take(other: Results): void {
    for (const [key, windows] of other.#windows) this.#windows.set(key, windows)
  }

  values(load: string, target: string, field: keyof Window): number[] {
    return (this.#windows.get(`${load} ${target}`) ?? []).map((window) => window[field])
  }

  /** Requests that failed, of all rounds, where there are any: `HAProxy 183`. */
  failures(): string[] {
    const sums = new Map<string, number>()
    for (const [key, windows] of this.#windows) {
      const failed = windows.reduce((sum, window) => sum + window.failed, 0)
      if (failed > 0) sums.set(key, failed)
    }
    return sums.size === 0 ? [] : ['', `Requests that failed: ${[...sums].map(([key, count]) => `${key} ${count}`).join('; ')}.`]
  }

  median(load: string, target: string, field: keyof Window = 'micros'): number {
    return quantile(this.values(load, target, field), 0.5)
  }

  /** `- 100 B, against nginx: **0.97x** ...`: of the medians of CPU per request. */
  verdict(load: string, own: string, peer: string, goal: number): string {
    const ratio = this.median(load, own) / this.median(load, peer)
    return `- ${load}, against ${peer}: **${ratio.toFixed(2)}x** of its CPU per request${ratio <= goal ? '' : ', **missed**'} (goal <= ${goal.toFixed(2)}x)`
  }
}

export async function stopAll(children: readonly ChildProcess[]): Promise<void> {
  await Promise.all(children.map((child) => stopProcess(child, 'SIGTERM')))
}
