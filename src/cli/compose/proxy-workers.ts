import { fork, type ChildProcess, type SendHandle } from 'node:child_process'
import { messageOf } from '../../base/errors.ts'
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import { chooseTransport, type SharedHandle } from '../../data-plane/proxy/transport/index.ts'
import { runWorker, type FromWorker, type ToWorker, type WorkerProcess } from '../../data-plane/proxy/workers/index.ts'

/** More than any machine has that runs one proxy. */
export const MAX_WORKERS = 64

/** @returns a number of workers; undefined: the text is none */
export function workersOf(text: string): number | undefined {
  return /^[1-9][0-9]?$/.test(text) && Number(text) <= MAX_WORKERS ? Number(text) : undefined
}

/** Starts `biplane proxy worker` as a child of this process, with which it ends. @param script of this program */
export function forkWorker(script: string, args: readonly string[], log: Logger): WorkerProcess {
  const child: ChildProcess = fork(script, ['proxy', 'worker', ...args], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  // said by its exit, too
  child.on('error', (error) => log.warn('a worker cannot be reached', { pid: child.pid, error: error.message }))
  return {
    pid: child.pid,
    // types know only the public classes: Node itself sends handles to the workers of its own clusters
    send: (message, handle) => void child.send(message, handle as unknown as SendHandle | undefined, () => {}),
    onMessage: (listener) => void child.on('message', (message) => listener(message as FromWorker)),
    onExit: (listener) => {
      let isOver = false
      const over = (why: string): void => {
        if (!isOver) listener(why)
        isOver = true
      }
      child.once('exit', (code, signal) => over(signal === null ? `exit code ${code ?? 'unknown'}` : `signal ${signal}`))
      child.once('error', (error) => child.pid === undefined && over(messageOf(error)))
    },
    kill: () => void child.kill('SIGKILL'),
  }
}

/** What `biplane proxy worker` does: until its pool ends it, or is gone. */
export async function runWorkerProcess({ clock, random, log }: { clock: Clock; random: () => number; log: Logger }): Promise<void> {
  if (!process.send) throw new Error('a worker of a proxy is started by the proxy, and talks to it alone')
  // a signal for all processes of a terminal is the pool's to answer
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
  const own = log.child({ worker: process.pid })
  const early: [ToWorker, SharedHandle | undefined][] = []
  let receive = (message: ToWorker, handle: SharedHandle | undefined): void => void early.push([message, handle])
  process.on('message', (message, handle) => receive(message as ToWorker, handle as unknown as SharedHandle | undefined))
  const gone = new Promise<void>((resolve) => process.once('disconnect', resolve))
  const transport = await chooseTransport(undefined, (problem) => own.warn('raw handles are not used', { problem }))
  runWorker({
    channel: {
      send: (message) => void (process.connected && process.send?.(message, undefined, undefined, () => {})),
      onMessage: (listener) => {
        receive = listener
        for (const [message, handle] of early.splice(0)) listener(message, handle)
      },
    },
    transport,
    clock,
    random,
    log: own,
  })
  await gone
  process.exit(1)
}
