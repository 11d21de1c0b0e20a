import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../../../base/errors.ts'
import { loadLibc } from '../../../base/linux/libc.ts'
import { createNetworkNamespace, inNetworkNamespace, removeNetworkNamespace } from '../../../base/linux/network-namespace.ts'
import type { Logger } from '../../../base/log.ts'
import type { FibRoute } from '../../../policy/route/fib-route.ts'
import type { NodeAddressPool } from './addresses/pod-addresses.ts'
import { applySettings, devicesHere, hostEndSettings, POD_SETTINGS } from './links/device-settings.ts'
import type { LinkWriter } from './links/link-step.ts'
import { isPodDevice, planPodLink, podDevice } from './links/plan-pod-link.ts'
import type { NetworkedPod, PodNetwork } from './pod-network.ts'

/** Routes of one node that come and go with its pods. */
export interface PodRoutes {
  add(routes: readonly FibRoute[]): Promise<void>
  remove(routes: readonly FibRoute[]): Promise<void>
}

/** Ports of the node that lead to pods. */
export interface PodHostPorts {
  add(pod: NetworkedPod): Promise<void>
  remove(podUid: string): Promise<void>
  /** Everything that was there when this agent started has been added. */
  install(): Promise<void>
}

export interface KernelPodNetworkOptions {
  /** Directory of the namespaces; made if missing. */
  readonly dir: string
  readonly addresses: NodeAddressPool
  /** Of the node's namespace, and of the one at a path. */
  readonly links: (namespace?: string) => LinkWriter
  readonly routes: PodRoutes
  readonly hostPorts: PodHostPorts
  /** The node's own, primary first. */
  readonly nodeAddresses: readonly string[]
  /** Of the links of pods to come. */
  readonly mtu: () => number
  readonly log: Logger
}

const NSFS = 0x6e73_6673
const MS_BIND = 4096

/** Pods on routed links of their own, one network namespace each. Needs root. */
export class KernelPodNetwork implements PodNetwork {
  readonly #options: KernelPodNetworkOptions
  #whenRestored: () => void = () => {}
  /** What an earlier agent has left is known: from here on what is not known may be removed. */
  readonly restored: Promise<void> = new Promise((resolve) => (this.#whenRestored = resolve))
  /** Work on a pod's network, done or under way. */
  readonly #attached = new Map<string, { readonly ips: readonly string[]; readonly done: Promise<void> }>()

  constructor(options: KernelPodNetworkOptions) {
    this.#options = options
  }

  get addresses(): NodeAddressPool {
    return this.#options.addresses
  }

  namespaceOf(podUid: string): string {
    return join(this.#options.dir, podUid)
  }

  async restore(pods: readonly NetworkedPod[]): Promise<void> {
    const { dir, log } = this.#options
    openDirectory(dir)
    const known = new Set(pods.map((pod) => pod.podUid))
    for (const uid of readdirSync(dir)) if (!known.has(uid)) this.#removeNamespace(uid)
    const devices = devicesHere()
    const wanted = new Set(pods.map((pod) => podDevice(pod.podUid)))
    const strays = [...devices].filter((device) => isPodDevice(device) && !wanted.has(device))
    await this.#delete(strays)
    // a pod that runs keeps its host ports, whoever else waits for them
    for (const pod of pods.toSorted((a, b) => Number(a.pid === undefined) - Number(b.pid === undefined))) {
      const attached = this.attach(pod)
      await attached.catch((error: unknown) =>
        log.error("a pod's network could not be restored", { uid: pod.podUid, error: messageOf(error) }),
      )
    }
    try {
      await this.#options.hostPorts.install()
    } catch (error) {
      log.error('masquerade and host ports are not in force', { error: messageOf(error) })
    }
    this.#whenRestored()
  }

  async attach(pod: NetworkedPod): Promise<void> {
    const known = this.#attached.get(pod.podUid)
    if (known) return await known.done
    const done = this.#attach(pod)
    this.#attached.set(pod.podUid, { ips: pod.ips, done })
    try {
      await done
    } catch (error) {
      this.#attached.delete(pod.podUid)
      throw error
    }
  }

  async detach(podUid: string): Promise<void> {
    const known = this.#attached.get(podUid)
    this.#attached.delete(podUid)
    await known?.done.catch(() => {})
    await this.#options.hostPorts.remove(podUid)
    if (known) await this.#options.routes.remove(this.#plan(podUid, known.ips).routes)
    this.#removeNamespace(podUid)
  }

  async #attach(pod: NetworkedPod): Promise<void> {
    const { links, routes, hostPorts } = this.#options
    const plan = this.#plan(pod.podUid, pod.ips)
    try {
      // a network in which nothing runs may be half made, by an agent that was killed: it is made anew
      if (pod.pid === undefined) this.#removeNamespace(pod.podUid)
      const isThere = pod.pid !== undefined && devicesHere().has(plan.device)
      if (!(this.#openNamespace(pod) && isThere)) {
        if (devicesHere().has(plan.device)) await this.#delete([plan.device])
        await links().apply(plan.create)
        applySettings(hostEndSettings(plan.device))
        await Promise.all([links().apply(plan.host), links(this.namespaceOf(pod.podUid)).apply(plan.pod)])
      }
      await routes.add(plan.routes)
      await hostPorts.add(pod)
    } catch (error) {
      await hostPorts.remove(pod.podUid).catch(() => {})
      await routes.remove(plan.routes).catch(() => {})
      // a pod that runs keeps what it has; the next try mends it
      if (pod.pid === undefined) this.#removeNamespace(pod.podUid)
      throw error
    }
  }

  #plan(podUid: string, ips: readonly string[]): ReturnType<typeof planPodLink> {
    const { nodeAddresses, mtu } = this.#options
    return planPodLink({ podUid, ips, namespace: this.namespaceOf(podUid), nodeAddresses, mtu: mtu() })
  }

  /** @returns whether it was there already */
  #openNamespace(pod: NetworkedPod): boolean {
    const path = this.namespaceOf(pod.podUid)
    if (isNamespace(path)) return true
    // left by a machine that has been started anew, or by an agent whose mounts were its own
    rmSync(path, { force: true })
    openDirectory(this.#options.dir)
    if (pod.pid !== undefined && rescueNamespace(pod.pid, path)) return true
    createNetworkNamespace(path)
    inNetworkNamespace(path, () => applySettings(POD_SETTINGS))
    return false
  }

  #removeNamespace(podUid: string): void {
    const path = this.namespaceOf(podUid)
    try {
      if (isNamespace(path)) removeNetworkNamespace(path)
      else rmSync(path, { force: true })
    } catch (error) {
      this.#options.log.warn("a pod's network namespace could not be removed", { path, error: messageOf(error) })
    }
  }

  async #delete(devices: readonly string[]): Promise<void> {
    if (devices.length === 0) return
    try {
      await this.#options.links().apply(devices.map((device) => ({ op: 'delete-link', device })))
    } catch (error) {
      this.#options.log.warn('links of pods that are gone could not be removed', { devices, error: messageOf(error) })
    }
  }
}

/** Removes the namespaces below `dir`, and with them the links that lead there: the pods of a node that is taken down. */
export function removeNamespaces(dir: string): void {
  if (!existsSync(dir)) return
  for (const name of readdirSync(dir)) {
    const path = join(dir, name)
    if (isNamespace(path)) removeNetworkNamespace(path)
    else rmSync(path, { force: true })
  }
}

/** Whether a namespace is mounted at `path`. */
export function isNamespace(path: string): boolean {
  return existsSync(path) && statfsSync(path).type === NSFS
}

/** Gives the namespace that a process runs in its name again; false when that is this process's own, or the process is gone. */
function rescueNamespace(pid: number, path: string): boolean {
  const source = `/proc/${pid}/ns/net`
  try {
    if (statSync(source).ino === statSync('/proc/thread-self/ns/net').ino) return false
    writeFileSync(path, '', { flag: 'wx', mode: 0o444 })
    loadLibc().mount(source, path, null, MS_BIND)
    return true
  } catch {
    rmSync(path, { force: true })
    return false
  }
}

/** Who may enter namespaces is said by the kernel, not by this directory: the node's proxy, which is no root, finds those of its pods here. */
function openDirectory(dir: string): void {
  mkdirSync(dir, { recursive: true })
  chmodSync(dir, 0o711)
}
