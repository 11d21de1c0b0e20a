import { watch } from 'node:fs'
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { sleep, type Clock } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import { createMetrics } from '../../base/metrics.ts'
import { openStatusServer } from '../../data-plane/dns/index.ts'
import { hostedLayout, type HostedPod } from '../../data-plane/node/mesh/index.ts'
import { chooseTransport, type TransportName } from '../../data-plane/proxy/transport/index.ts'
import { startProxy, type RunningProxy } from './proxy.ts'

export interface NodeProxyOptions {
  /** Shared with the agent: see HostedLayout. */
  readonly dir: string
  /** Socket of the node agent. */
  readonly meshSocket: string
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
}

/** Changes are told by the kernel; this is for those that it has lost. */
const LOOK_EVERY_MS = 5_000
/** What runs when this process is told to go gets so long to end. */
const STOP_GRACE_MS = 5_000
/** Nothing is left to carry when a pod has ended. */
const ENDED_GRACE_MS = 300
/** A pod whose configuration cannot be had does not keep the process from taking over from another. */
const READY_AFTER_MS = 10_000
const RETRY_MS = 1_000

/**
 * Serves all pods that the agent tells of, each as a sidecar of its own would: with its own identity, key, configuration and connections, which have this process
 * and nothing else in common. Until the signal aborts.
 */
export async function runNodeProxy(options: NodeProxyOptions, signal: AbortSignal): Promise<void> {
  const { clock, log } = options
  const layout = hostedLayout(options.dir)
  const transport = await chooseTransport(undefined, (problem) => log.warn('raw handles are not used', { problem }))
  const hosts = new Map<string, PodHost>()
  const ending = new Set<Promise<void>>()
  const drop = (uid: string, graceMs: number, after?: () => Promise<void>): void => {
    const host = hosts.get(uid)
    if (!host) return
    hosts.delete(uid)
    const ended = host
      .end(graceMs)
      .then(after)
      .catch((error: unknown) => log.error('what a pod had is not gone', { uid, error: messageOf(error) }))
    ending.add(ended)
    void ended.finally(() => ending.delete(ended))
  }
  const forget = async (uid: string): Promise<void> => await rm(join(layout.state, uid), { recursive: true, force: true })
  const look = async (): Promise<void> => {
    const found = await readPods(layout.pods, log)
    for (const [uid, host] of hosts) {
      const text = found.get(uid)
      // the keys of a pod go with it
      if (text !== host.text) drop(uid, ENDED_GRACE_MS, text === undefined ? () => forget(uid) : undefined)
    }
    for (const [uid, text] of found) if (!hosts.has(uid)) hosts.set(uid, new PodHost(text, options, transport.name))
  }
  await mkdir(layout.state, { recursive: true, mode: 0o700 })
  const watcher = new DirectoryWatch(layout.pods, clock)
  await look()
  for (const { name, isDirectory } of await leftIn(layout.state)) if (isDirectory && !hosts.has(name)) await forget(name)
  let isReady = false
  const status = await openStatusServer({ metrics: createMetrics(), isReady: () => isReady, socketPath: layout.socket })
  const first = Promise.all([...hosts.values()].map((host) => host.settled))
  void Promise.race([first, sleep(clock, READY_AFTER_MS, signal)]).then(
    () => (isReady = true),
    () => {},
  )
  log.info('the proxy of the node runs', { pods: hosts.size, transport: transport.name })
  try {
    while (!signal.aborted) {
      await watcher.changed(signal)
      if (!signal.aborted) await look().catch((error: unknown) => log.error('pods cannot be looked up', { error: messageOf(error) }))
    }
  } finally {
    watcher.close()
    log.info('stopping', { pods: hosts.size })
    for (const uid of hosts.keys()) drop(uid, STOP_GRACE_MS)
    await Promise.all(ending)
    await status.close()
  }
}

/** What one pod has of this process. */
class PodHost {
  readonly text: string
  /** Resolves when the pod's connections are carried, or all that is missing is a port that another process still has. */
  readonly settled: Promise<void>
  readonly #stop = new AbortController()
  readonly #started: Promise<RunningProxy | undefined>

  constructor(text: string, options: NodeProxyOptions, transport: TransportName) {
    this.text = text
    let settle = (): void => {}
    this.settled = new Promise((resolve) => (settle = resolve))
    this.#started = this.#start(JSON.parse(text) as HostedPod, options, transport, settle)
    void this.#started.then(settle)
  }

  /** Starts until it succeeds: a pod's network may have been late, or a port be in use. */
  async #start(pod: HostedPod, options: NodeProxyOptions, transport: TransportName, settle: () => void): Promise<RunningProxy | undefined> {
    const { clock, random, meshSocket, dir } = options
    const log = options.log.child({ pod: pod.name, namespace: pod.namespace })
    const stateDir = join(hostedLayout(dir).state, pod.uid)
    const logDir = join(stateDir, 'logs')
    const { networkNamespace, name, drainToken, ...rest } = pod
    while (!this.#stop.signal.aborted) {
      try {
        await mkdir(logDir, { recursive: true, mode: 0o700 })
        return await startProxy(
          {
            ...rest,
            kind: 'sidecar',
            pod: name,
            ...(drainToken === undefined ? {} : { drainToken }),
            meshSocket,
            stateDir,
            clock,
            random,
            log,
            stopGraceMs: STOP_GRACE_MS,
            outside: { transport, logDir, onWait: settle, ...(networkNamespace === undefined ? {} : { networkNamespace }) },
          },
          this.#stop.signal,
        )
      } catch (error) {
        if (this.#stop.signal.aborted) return undefined
        log.error('the proxy of a pod did not start, and is started again', { error: messageOf(error) })
        await sleep(clock, RETRY_MS, this.#stop.signal).catch(() => {})
      }
    }
    return undefined
  }

  async end(graceMs: number): Promise<void> {
    this.#stop.abort()
    await (await this.#started)?.end(graceMs)
  }
}

/** By uid. A file that cannot be read is told of and left out: those of other pods are none the worse. */
async function readPods(dir: string, log: Logger): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  for (const file of await readdir(dir)) {
    const uid = /^(.*)\.json$/.exec(file)?.[1] ?? ''
    if (!isUid(uid)) continue
    try {
      const text = await readFile(join(dir, file), 'utf8')
      if ((JSON.parse(text) as HostedPod).uid !== uid) throw new Error('it is about another pod')
      found.set(uid, text)
    } catch (error) {
      // gone between the two steps: its pod has ended
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') log.error('a pod cannot be served', { file, error: messageOf(error) })
    }
  }
  return found
}

/** No name that leads elsewhere. */
const isUid = (text: string): boolean => /^[\w-]{1,64}$/.test(text)

async function leftIn(dir: string): Promise<readonly { readonly name: string; readonly isDirectory: boolean }[]> {
  const entries = await readdir(dir, { withFileTypes: true })
  return entries.map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() }))
}

/** Tells when a directory has changed since the last time that it was asked. */
class DirectoryWatch {
  readonly #clock: Clock
  readonly #watcher: ReturnType<typeof watch>
  #isDirty = false
  #wake = (): void => {}

  constructor(dir: string, clock: Clock) {
    this.#clock = clock
    this.#watcher = watch(dir, () => {
      this.#isDirty = true
      this.#wake()
    })
    // looked at every few seconds anyway
    this.#watcher.on('error', () => {})
  }

  changed(signal: AbortSignal): Promise<void> {
    const waits = this.#isDirty ? Promise.resolve() : this.#wait(signal)
    return waits.then(() => void (this.#isDirty = false))
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel()
        signal.removeEventListener('abort', done)
        this.#wake = () => {}
        resolve()
      }
      const timer = this.#clock.after(LOOK_EVERY_MS, done)
      signal.addEventListener('abort', done, { once: true })
      this.#wake = done
    })
  }

  close(): void {
    this.#watcher.close()
  }
}
