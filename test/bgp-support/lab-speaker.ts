import { networkInterfaces } from 'node:os'
import type { EndpointSlice, Node, Secret, Service } from '../../src/api/generated/types.ts'
import type { BgpPeer, BgpPeerSpec } from '../../src/api/routing.biplane.dev/v1alpha1/bgp-peer.ts'
import type { RoutePolicy, RoutePolicySpec } from '../../src/api/routing.biplane.dev/v1alpha1/route-policy.ts'
import type { RouterSpec } from '../../src/api/routing.biplane.dev/v1alpha1/router.ts'
import type { StaticRoute, StaticRouteSpec } from '../../src/api/routing.biplane.dev/v1alpha1/static-route.ts'
import { systemClock } from '../../src/base/clock.ts'
import { parsePrefix } from '../../src/base/ip.ts'
import { jsonLogger, type Logger } from '../../src/base/log.ts'
import { KernelInterior } from '../../src/cli/compose/kernel-interior.ts'
import {
  BfdManager,
  compileRouting,
  explainView,
  kernelBfdSockets,
  kernelSockets,
  peerViews,
  routeViews,
  Speaker,
  type PeerView,
  type RouteView,
} from '../../src/control-plane/routing/index.ts'
import { createRib } from '../../src/control-plane/routing/rib/index.ts'
import { openFib, type KernelFib } from '../../src/data-plane/forwarding/fib/index.ts'
import { ROUTE_PROTOCOL } from '../../src/policy/route/fib-route.ts'
import type { LabHost } from '../../src/testing/network-lab/index.ts'
import { poll } from '../support/poll.ts'

/** Objects of the API by name, as a user would write their specs. */
export interface RoutingObjects {
  readonly router: RouterSpec
  readonly peers?: Readonly<Record<string, BgpPeerSpec>>
  readonly policies?: Readonly<Record<string, RoutePolicySpec>>
  readonly statics?: Readonly<Record<string, StaticRouteSpec>>
  readonly podCIDRs?: readonly string[]
  readonly services?: readonly Service[]
  readonly slices?: readonly EndpointSlice[]
  /** Of Secrets in kube-system, under `password`. */
  readonly passwords?: Readonly<Record<string, string>>
}

export const ACCEPT_ALL: RoutePolicySpec = { defaultAction: 'Accept' }

/** A router of biplane on a host of the lab, in this process: sockets and routes are those of the host. */
export class LabSpeaker {
  readonly host: LabHost
  readonly speaker: Speaker
  readonly lines: string[] = []
  readonly #fib: KernelFib
  readonly #interior: KernelInterior

  private constructor(host: LabHost, restarted: boolean) {
    this.host = host
    const log: Logger = jsonLogger({ write: (line) => void this.lines.push(line), clock: systemClock, level: 'debug' })
    this.#fib = openFib({ protocol: ROUTE_PROTOCOL.router, namespace: host.path })
    this.#interior = new KernelInterior({ namespace: host.path, clock: systemClock, log })
    this.speaker = new Speaker({
      clock: systemClock,
      random: Math.random,
      log,
      sockets: kernelSockets((fn) => host.inside(fn)),
      bfd: new BfdManager({
        sockets: kernelBfdSockets(Math.random, (fn) => host.inside(fn)),
        clock: systemClock,
        random: Math.random,
        log,
      }),
      fib: this.#fib,
      createRib,
      interfaces: () => host.inside(() => networkInterfaces()),
      interior: this.#interior,
      ...(restarted ? { restarted: { forwarding: [4, 6] as const } } : {}),
    })
  }

  static async start(host: LabHost, objects: RoutingObjects, options: { readonly restarted?: boolean } = {}): Promise<LabSpeaker> {
    const speaker = new LabSpeaker(host, options.restarted ?? false)
    await speaker.#interior.load()
    speaker.apply(objects)
    return speaker
  }

  apply(objects: RoutingObjects): readonly string[] {
    const named = <T, S>(specs: Readonly<Record<string, S>> = {}): T[] =>
      Object.entries(specs).map(([name, spec]) => ({ metadata: { name }, spec })) as T[]
    const node: Node = {
      metadata: { name: 'node' },
      spec: { podCIDRs: [...(objects.podCIDRs ?? [])] },
      status: { addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] },
    }
    const config = compileRouting({
      node,
      routers: named<never, RouterSpec>({ default: objects.router }),
      peers: named<BgpPeer, BgpPeerSpec>(objects.peers),
      policies: named<RoutePolicy, RoutePolicySpec>(objects.policies),
      statics: named<StaticRoute, StaticRouteSpec>(objects.statics),
      services: objects.services ?? [],
      slices: objects.slices ?? [],
      secret: (key): Secret | undefined => {
        const password = objects.passwords?.[key.replace(/^kube-system\//, '')]
        if (password === undefined) return undefined
        return { metadata: { name: key }, data: { password: Buffer.from(password).toString('base64') } }
      },
    })
    this.speaker.apply(config)
    return config.problems
  }

  peer(name: string): PeerView | undefined {
    return peerViews(this.speaker).find((view) => view.name === name)
  }

  explain(prefix: string): RouteView | undefined {
    const parsed = parsePrefix(prefix)
    return parsed && explainView(this.speaker, parsed)
  }

  /** @throws with the log when the session does not come up */
  async established(name: string, withinMs = 20_000): Promise<PeerView> {
    return this.#waited(`session with ${name}`, () => this.peer(name)?.state === 'Established' && this.peer(name), withinMs)
  }

  /** Waits until the best route for a prefix comes from a peer and is in the kernel. */
  async learned(prefix: string, withinMs = 20_000): Promise<RouteView> {
    return this.#waited(
      `route ${prefix}`,
      async () => {
        const view = this.explain(prefix)
        if (!view?.candidates.some(({ state }) => state === 'best')) return false
        return (await this.kernelRoutes()).some((line) => line.startsWith(kernelPrefix(prefix))) && view
      },
      withinMs,
    )
  }

  async lost(prefix: string, withinMs = 20_000): Promise<void> {
    await this.#waited(
      `loss of ${prefix}`,
      async () => !(await this.kernelRoutes()).some((line) => line.startsWith(kernelPrefix(prefix))),
      withinMs,
    )
  }

  /** Routes with our tag as `ip` prints them, both families, one per line with its next hops. */
  async kernelRoutes(): Promise<readonly string[]> {
    const texts = await Promise.all(['-4', '-6'].map((family) => this.host.must(['ip', family, '-o', 'route', 'show', 'proto', '190'])))
    return texts.flatMap((text) => text.split('\n').filter((line) => line !== ''))
  }

  async waitFor<T>(
    what: string,
    probe: () => T | false | undefined | Promise<T | false | undefined>,
    withinMs = 20_000,
    everyMs = 50,
  ): Promise<T> {
    return this.#waited(what, probe, withinMs, everyMs)
  }

  /** Without a word, as for an upgrade: routes stay in the kernel. */
  async leave(): Promise<void> {
    await this.speaker.leave()
    this.#interior.close()
    await this.#fib.close()
  }

  async shutdown(text = ''): Promise<void> {
    await this.speaker.shutdown(text)
    this.#interior.close()
    await this.#fib.close()
  }

  async #waited<T>(
    what: string,
    probe: () => T | false | undefined | Promise<T | false | undefined>,
    withinMs: number,
    everyMs = 50,
  ): Promise<T> {
    try {
      return await poll(what, async () => (await probe()) || undefined, { withinMs, everyMs })
    } catch (error) {
      const known = [...routeViews(this.speaker)].map(({ prefix, candidates, fib }) => ({
        prefix,
        candidates: candidates.map((one) => [one.from, one.state, one.stale, one.reason]),
        fib,
      }))
      const state = { peers: peerViews(this.speaker), known, kernel: await this.kernelRoutes(), problems: this.speaker.fibProblems }
      throw new Error(`${String(error)}\n${JSON.stringify(state, null, 1)}\n${this.lines.slice(-15).join('')}`, {
        cause: error,
      })
    }
  }
}

/** As `ip` prints it: a host route has no length. */
function kernelPrefix(prefix: string): string {
  return `${prefix.replace(/\/(32|128)$/, '')} `
}
