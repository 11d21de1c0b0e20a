import type { ExplainAnswer } from '../../../protocols/mesh-view.ts'
import { clusterName, Compiler, podIdentityOf, type CompiledProxy } from '../compile/index.ts'
import { MatchError, Peer } from '../evaluate/index.ts'
import { serviceKey, type MeshWorld, type PolicyPlugin, type ProxyView } from '../input/index.ts'
import type { Listener, ProxySettings } from '../model/index.ts'
import { followOutbound, readyEndpoint, requestOf, type Arrival, type ExplainedRequest, type Target } from './caller-side.ts'
import { judgeInbound } from './server-side.ts'
import { Steps } from './steps.ts'

/** A pod without a proxy. */
export interface PlainCaller {
  readonly kind: 'plain'
  readonly namespace: string
  readonly pod: string
  readonly ips: readonly string[]
}

export interface ExplainedCall {
  readonly world: MeshWorld
  readonly plugins: readonly PolicyPlugin<any>[]
  /** All there are: the destination's is among them. */
  readonly proxies: readonly ProxyView[]
  readonly from: ProxyView | PlainCaller
  readonly to: { readonly namespace: string; readonly name: string; readonly port: number }
  readonly request?: ExplainedRequest
  /** Of this world, if there is one: nothing is compiled twice then. */
  readonly compiler?: Pick<Compiler, 'compile'>
}

/**
 * What becomes of a call, step by step in the order in which it happens; the last step is the one at which it ends. Of several backends and endpoints the
 * most likely one is followed. Never throws for what a world can hold.
 */
export function explainCall(call: ExplainedCall): ExplainAnswer {
  const steps = new Steps()
  const compiler = call.compiler ?? new Compiler(call.world, call.plugins)
  const arrival = departure(call, compiler, steps)
  if (arrival) {
    const server = call.proxies.find(({ namespace, pod }) => `${namespace}/${pod}` === arrival.endpoint.pod)
    if (server) {
      const { from, world } = call
      const peer = new Peer({
        address: from.ips[0] ?? '',
        port: arrival.endpoint.address.port,
        ...(arrival.transport === 'mesh' && from.kind !== 'plain' ? { identity: podIdentityOf(from, world.mesh.trustDomain) } : {}),
      })
      try {
        judgeInbound(arrival, peer, server, compiler.compile(server), steps)
      } catch (error) {
        if (!(error instanceof MatchError)) throw error
        steps.failed('permission', `the destination's proxy cannot take its rules and keeps those it had before: ${error.message}`)
      }
    } else steps.ok('permission', 'there is no proxy at the destination: nobody is asked for permission')
  }
  return steps.answer
}

/** The caller's side; undefined: the call ends there. */
function departure(call: ExplainedCall, compiler: Pick<Compiler, 'compile'>, steps: Steps): Arrival | undefined {
  const { world, from, to, request = {} } = call
  const service = world.services.get(serviceKey(to.namespace, to.name))
  const port = service?.ports.find((one) => one.port === to.port)
  if (from.kind === 'plain')
    steps.ok('identity', `pod ${from.namespace}/${from.pod} has no proxy: it calls in plain text, without an identity`)
  else if (world.mesh.mtls) steps.ok('identity', `calls as ${podIdentityOf(from, world.mesh.trustDomain)}`)
  else steps.ok('identity', 'mutual TLS is off: nobody has an identity')
  if (!service || !port) {
    const has = service?.ports.map((one) => one.port).join(', ')
    steps.failed(
      'route',
      service ? `service ${to.namespace}/${to.name} has no port ${to.port}, only ${has}` : `there is no service ${to.namespace}/${to.name}`,
    )
    return undefined
  }
  const target = { service, port }
  if (from.kind === 'plain') return withoutProxy(target, request, steps)
  const compiled = compiler.compile(from)
  if (from.kind === 'gateway') return fromGateway(target, from, compiled, request, steps)
  const listener = listenerTo(target, compiled)
  if (listener) return followOutbound(listener, target, request, compiled.resources, steps)
  return unknownToCaller(target, from, compiled, request, steps)
}

function listenerTo({ service, port }: Target, { resources }: CompiledProxy): Listener | undefined {
  const isIt = ({ service: meant }: Listener): boolean =>
    meant?.namespace === service.namespace && meant.name === service.name && meant.port === port.port
  const own = resources.flatMap(({ type, value }) => (type === 'listener' && value.direction === 'outbound' && isIt(value) ? [value] : []))
  // clients of headless services dial endpoints: those that are ready
  const ready = port.endpoints.filter(({ state }) => state === 'ready').map(({ address }) => `${address.address} ${address.port}`)
  return own.find(({ address }) => ready.includes(`${address.address} ${address.port}`)) ?? own[0]
}

function unknownToCaller(
  target: Target,
  from: ProxyView,
  { resources, findings }: CompiledProxy,
  request: ExplainedRequest,
  steps: Steps,
): Arrival | undefined {
  const { service, port } = target
  const key = serviceKey(service.namespace, service.name)
  const isWanted = !from.reachable || from.reachable.includes(key) || from.reachable.includes(`${service.namespace}/*`)
  const broken = findings.find(({ message }) => message.startsWith(`port ${port.port} of service ${key} `))
  if (isWanted) {
    steps.failed('route', broken?.message ?? `service ${key} has no address that could be called`, broken?.origin)
    return undefined
  }
  const settings = resources.find(({ type }) => type === 'proxy')?.value as ProxySettings | undefined
  if (settings?.passthrough !== 'all') {
    steps.denied('route', `the pod does not name ${key} among the services it reaches, and may call nothing else`)
    return undefined
  }
  return withoutProxy(
    target,
    request,
    steps,
    `the pod does not name ${key} among the services it reaches: its proxy passes the bytes on, no route and no policy of the mesh holds`,
  )
}

/** As if there were no mesh. */
function withoutProxy(
  target: Target,
  request: ExplainedRequest,
  steps: Steps,
  why = 'the cluster chooses an endpoint, no route of the mesh holds',
): Arrival | undefined {
  if (target.service.external) {
    steps.failed(
      'route',
      `${target.service.namespace}/${target.service.name} is outside of the mesh and has an address for callers with a proxy alone`,
    )
    return undefined
  }
  steps.ok('route', why)
  const endpoint = readyEndpoint(target.port.endpoints, steps)
  if (!endpoint) return undefined
  const isTls = target.port.protocol === 'tls'
  steps.ok('tls', isTls ? 'TLS of the application' : 'plain text')
  return { endpoint, transport: isTls ? 'tls' : 'plaintext', request: requestOf(target, request) }
}

/** Which requests of a gateway come here depends on its listeners; where they arrive is the same for all. */
function fromGateway(
  target: Target,
  from: ProxyView,
  { resources }: CompiledProxy,
  request: ExplainedRequest,
  steps: Steps,
): Arrival | undefined {
  const { service, port } = target
  const name = clusterName(service.namespace, service.name, port.port)
  const leading = resources.flatMap(({ type, value }) =>
    type === 'route'
      ? value.virtualHosts.flatMap(({ routes }) =>
          routes.filter(({ action }) => action.type === 'forward' && action.clusters.some(({ cluster }) => isOf(cluster, name))),
        )
      : [],
  )
  const cluster = resources.find(({ type, value }) => type === 'cluster' && isOf(value.name, name))?.value.name
  if (cluster === undefined) {
    steps.failed(
      'route',
      `no route of gateway ${from.gateway ?? from.pod} leads to service ${service.namespace}/${service.name} port ${port.port}`,
    )
    return undefined
  }
  // a listener that leads to this cluster alone: the rest of the way is that of any caller
  const listener: Listener = {
    name: '',
    direction: 'outbound',
    address: { address: '', port: port.port },
    protocol: 'tcp',
    chains: [
      {
        name: '',
        match: {},
        tcp: {
          statPrefix: '',
          clusters: [{ name: cluster, weight: 1 }],
          accessLogs: [],
          route: leading[0]?.name ?? `of gateway ${from.gateway ?? ''}`,
        },
      },
    ],
  }
  const arrival = followOutbound(listener, target, request, resources, steps)
  return arrival && { ...arrival, ...(leading.length > 0 ? { request: requestOf(target, request) } : {}) }
}

const isOf = (cluster: string, name: string): boolean => cluster === name || cluster.startsWith(`${name}~`)
