import { StatusError } from '../../../base/errors.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import type { DryRunAnswer } from '../../../protocols/mesh-view.ts'
import type { MeshWorld, ProxyView, TrafficPolicy } from '../../../policy/traffic/input/index.ts'
import { translateKuma } from '../../../policy/traffic/kuma/index.ts'
import { dryRun, type ObservedCall } from '../../../policy/traffic/policies/index.ts'
import type { SeenCall } from '../control/index.ts'
import { possibleCalls, requestsAbout } from './possible-calls.ts'
import { silentNote } from './silent-note.ts'

export interface DryRunInput {
  /** A policy as the API takes it: decoded, with defaults, valid. */
  readonly policy: KubeObject
  readonly world: MeshWorld
  readonly proxies: readonly ProxyView[]
  readonly systemNamespace: string
  /** Connections that proxies have told of; undefined: none of them tells. */
  readonly seen?: Iterable<SeenCall> | undefined
  /** Proxies that tell nothing. */
  readonly silent?: readonly string[]
}

/** Judgements of calls at proxies, before and after, that one dry run may cost. */
const MAX_JUDGEMENTS = 100_000
const JUDGING: ReadonlySet<string> = new Set(['MeshTrafficPermission', 'MeshAuthorizationPolicy'])

/**
 * What a policy would change, if it were put in force now: about calls that were seen, or, where nobody tells of any, about those that proxies of the mesh could
 * make.
 * @throws {StatusError} `Invalid` for policies that cannot be read
 */
export function dryRunAnswer({ policy, world, proxies, systemNamespace, seen, silent = [] }: DryRunInput): DryRunAnswer {
  const { kind = '', metadata } = policy
  const { policies, findings } = translateKuma({ objects: [policy], services: world.services, proxies, mesh: world.mesh, systemNamespace })
  const [translated] = policies
  if (!translated || translated.broken !== undefined) {
    const why = translated?.broken ?? findings[0]?.message ?? 'it says nothing'
    throw new StatusError('Invalid', `${kind} ${JSON.stringify(metadata.name)} cannot be carried out: ${why}`)
  }
  if (!JUDGING.has(kind)) {
    const note = `policies of kind ${kind} let nobody in and keep nobody out, so no call is judged anew${kind === 'MeshTLS' ? '; whom strict mode cuts off is what the strict report says' : ''}`
    return { changes: [], observed: 0, basis: 'configuration', note }
  }
  const before = world.policies.filter(
    ({ type, origin }) => type === kind && origin.namespace === translated.origin.namespace && origin.name === translated.origin.name,
  )
  const both = [...before, translated]
  const limit = limitOf(proxies)
  const possible = possibleCalls(both, proxies, world.mesh.trustDomain, limit)
  const made = seen ? observedCalls(seen, both, limit) : []
  const keys = new Set(made.map(keyOf))
  const calls = [...made, ...possible.calls.filter((call) => !keys.has(keyOf(call)))]
  const { changes, counts } = dryRun(translated, calls, world, proxies)
  const notes = [
    ...findings.map(({ message }) => message),
    seen
      ? 'calls with a count of 0 were not seen, but could be made; counts are of connections'
      : 'no proxy tells of the calls that it has seen: these are calls that proxies of the mesh could make, as things are configured',
    ...(kind === 'MeshAuthorizationPolicy'
      ? ['what is asked for on connections is not known: requests that rules speak of stand for it']
      : []),
    ...(seen ? silentNote(silent) : []),
    ...(made.length >= limit ? [`of the calls that were seen ${limit} were looked at`] : []),
    ...(possible.isCut ? [`there are more possible calls than the ${possible.calls.length} that were looked at`] : []),
    ...(world.mesh.mtls ? [] : ['mutual TLS is off: callers have no identity, and permissions by identity let nobody in']),
    ...(counts.unknown > 0 ? [`${counts.unknown} calls went to services that no proxy serves now`] : []),
  ]
  return {
    changes: changes.map(({ call, previously, would, rule }) => ({
      from: call.caller ?? call.address ?? 'unknown',
      to: `${call.service.namespace}/${call.service.name}:${call.port}`,
      request: call.method === undefined && call.path === undefined ? 'bytes' : `${call.method ?? 'GET'} ${call.path ?? '/'}`,
      count: call.count,
      now: previously,
      // oxlint-disable-next-line unicorn/no-thenable -- a text, and the contract's name
      then: would,
      because: rule === 'none' ? (would === 'deny' ? 'no rule allows it' : 'no rule denies it') : rule,
    })),
    observed: calls.length,
    basis: seen ? 'traffic' : 'configuration',
    note: notes.join('; '),
  }
}

/** Connections as calls: with each request that rules are about, as nobody knows what was asked for. */
function observedCalls(seen: Iterable<SeenCall>, policies: readonly TrafficPolicy[], limit: number): readonly ObservedCall[] {
  const requests = requestsAbout(policies)
  const calls: ObservedCall[] = []
  for (const { caller, address, service, isHttp, transport, count } of seen) {
    if (!service) continue
    const { port, ...of } = service
    const call = { service: of, port, address, count, ...(caller === undefined ? {} : { caller }) }
    for (const request of isHttp && transport !== 'tls' ? requests : [{}]) {
      if (calls.length >= limit) return calls
      calls.push({ ...call, ...request })
    }
  }
  return calls
}

const keyOf = ({ caller, address, service, port, method, path }: ObservedCall): string =>
  JSON.stringify([caller ?? address, service.namespace, service.name, port, method, path])

/** Each call is judged at every proxy of its service. */
function limitOf(proxies: readonly ProxyView[]): number {
  const serving = new Map<string, number>()
  for (const { ports } of proxies) {
    for (const { services } of ports) {
      for (const { namespace, name, port } of services) {
        const key = `${namespace}/${name}:${port}`
        serving.set(key, (serving.get(key) ?? 0) + 1)
      }
    }
  }
  return Math.max(1_000, Math.floor(MAX_JUDGEMENTS / Math.max(1, ...serving.values())))
}
