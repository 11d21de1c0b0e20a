import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { CallerMatch, ProxyView } from '../input/index.ts'
import { callersOf, proxyIdentity } from './callers.ts'
import { permissionRules } from './permission-rules.ts'

const DOMAIN = 'mesh'
const NAMESPACES = ['a', 'ab', 'c'] as const
const proxies: readonly ProxyView[] = NAMESPACES.flatMap((namespace) =>
  ['x', 'y', 'z'].map((app): ProxyView => ({
    name: `${app}.${namespace}`,
    kind: 'sidecar',
    dataPlane: 'biplane',
    namespace,
    pod: app,
    labels: { app },
    serviceAccount: app,
    node: 'n',
    ips: [],
    ports: [],
    draining: false,
  })),
)

const target = fc.oneof(
  fc.constant({ kind: 'Mesh' }),
  fc.constantFrom(...NAMESPACES).map((namespace) => ({ kind: 'MeshSubset', tags: { 'k8s.kuma.io/namespace': namespace } })),
  fc.constantFrom('x', 'y', 'z').map((app) => ({ kind: 'MeshSubset', tags: { app } })),
  fc
    .tuple(fc.constantFrom(...NAMESPACES), fc.constantFrom('x', 'y'))
    .map(([namespace, app]) => ({ kind: 'MeshSubset', tags: { app, 'k8s.kuma.io/namespace': namespace } })),
)
const item = fc.record({ targetRef: target, action: fc.constantFrom('Allow', 'Deny', 'AllowWithShadowDeny') })

const means = ({ spiffeId }: CallerMatch, id: string): boolean =>
  !spiffeId || ('exact' in spiffeId ? spiffeId.exact === id : 'prefix' in spiffeId && id.startsWith(spiffeId.prefix))

test('for every known caller the lists say what the last item that means it says', () => {
  fc.assert(
    fc.property(fc.array(item, { maxLength: 6 }), (items) => {
      const read = items.map(({ targetRef, action }) => ({ callers: callersOf(targetRef, proxies, DOMAIN), action }))
      const [{ conf }] = permissionRules(read, proxies, DOMAIN, 'p') as unknown as [{ conf: Record<string, { match: CallerMatch }[]> }]
      for (const proxy of proxies) {
        const id = proxyIdentity(DOMAIN, proxy)
        const last = read.findLast(({ callers }) => callers.matches.some((match) => means(match, id)))
        const named = (list: string): boolean => conf[list]!.some(({ match }) => means(match, id))
        const verdict = named('deny') ? 'Deny' : named('shadowDeny') ? 'AllowWithShadowDeny' : named('allow') ? 'Allow' : 'Deny'
        expect(verdict).toBe(last?.action ?? 'Deny')
      }
    }),
    { numRuns: 300 },
  )
})
