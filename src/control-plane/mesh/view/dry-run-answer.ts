import { StatusError } from '../../../base/errors.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import type { DryRunAnswer } from '../../../protocols/mesh-view.ts'
import type { MeshWorld, ProxyView } from '../../../policy/traffic/input/index.ts'
import { translateKuma } from '../../../policy/traffic/kuma/index.ts'
import { dryRun, type ObservedCall } from '../../../policy/traffic/policies/index.ts'
import { possibleCalls } from './possible-calls.ts'

export interface DryRunInput {
  /** A policy as the API takes it: decoded, with defaults, valid. */
  readonly policy: KubeObject
  readonly world: MeshWorld
  readonly proxies: readonly ProxyView[]
  readonly systemNamespace: string
  /** Calls that proxies have told of; undefined: none of them tells. */
  readonly seen?: readonly ObservedCall[] | undefined
}

/** Judgements of calls at proxies, before and after, that one dry run may cost. */
const MAX_JUDGEMENTS = 100_000
const JUDGING: ReadonlySet<string> = new Set(['MeshTrafficPermission', 'MeshAuthorizationPolicy'])

/**
 * What a policy would change, if it were put in force now: about calls that were seen, or, where nobody tells of any, about those that proxies of the mesh could
 * make.
 * @throws {StatusError} `Invalid` for policies that cannot be read
 */
export function dryRunAnswer({ policy, world, proxies, systemNamespace, seen }: DryRunInput): DryRunAnswer {
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
  const possible = seen ? undefined : possibleCalls([...before, translated], proxies, world.mesh.trustDomain, limitOf(proxies))
  const calls = seen ?? possible?.calls ?? []
  const { changes, counts } = dryRun(translated, calls, world, proxies)
  const notes = [
    ...findings.map(({ message }) => message),
    ...(possible
      ? ['no proxy tells of the calls that it has seen: these are calls that proxies of the mesh could make, as things are configured']
      : []),
    ...(possible?.isCut ? [`there are more than the ${calls.length} that were looked at`] : []),
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
    ...(notes.length > 0 ? { note: notes.join('; ') } : {}),
  }
}

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
