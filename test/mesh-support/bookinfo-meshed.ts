import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Pod } from '../../src/api/generated/types.ts'
import type { KubeObject } from '../../src/api/meta/object.ts'
import { MANIFESTS } from '../support/requirements.ts'
import { poll } from '../support/poll.ts'
import { failed, MeshTraffic, of, sum, type Outcomes } from './mesh-traffic.ts'
import type { MeshCluster } from './mesh-cluster.ts'
import { flakyReplicas, meshPolicy, reviewsRoute, type PolicyObject } from './mesh-objects.ts'

const NAMESPACE = 'shop'
/** Secret with the authorities of the mesh. */
const AUTHORITIES = 'mesh-ca.default.mesh.local'
const VISITOR = 'spiffe://default.mesh.local/ns/shop/sa/visitor'
const REVIEWS = 'spiffe://default.mesh.local/ns/shop/sa/bookinfo-reviews'

export interface MeshedBookinfo {
  readonly name: string
  /** Annotation of the namespace: what carries out the configuration. */
  readonly dataPlane: 'biplane' | 'envoy' | 'node'
  readonly start: () => Promise<MeshCluster>
  /** Why it cannot be run; empty: it can. */
  readonly missing: string
}

/**
 * Unmodified Bookinfo, every pod with a proxy of the mesh. A visitor in the mesh asks reviews, details, ratings and a service of flaky replicas without a pause, from
 * the first test to the last; at the end, every answer that was no success must be one that a policy asked for.
 */
export function bookinfoMeshed({ name, dataPlane, start, missing }: MeshedBookinfo): void {
  describe.skipIf(missing !== '')(`Bookinfo meshed, ${name}${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
    let cluster: MeshCluster
    let visitor: MeshTraffic
    // the broken replica is asked until a policy ejects it
    const asked = new Set(['flaky 500 broken'])

    beforeAll(async () => {
      cluster = await start()
      await cluster.apply([
        {
          apiVersion: 'v1',
          kind: 'Namespace',
          metadata: {
            name: NAMESPACE,
            labels: { 'kuma.io/sidecar-injection': 'enabled' },
            annotations: { 'biplane.dev/data-plane': dataPlane },
          },
        },
      ])
      for (const file of ['bookinfo.yaml', 'bookinfo-versions.yaml'])
        await cluster.kubectl('apply', '-n', NAMESPACE, '-f', join(MANIFESTS, 'bookinfo', file))
      await cluster.apply(flakyReplicas(NAMESPACE))
      await cluster.kubectl('wait', '-n', NAMESPACE, '--for=condition=Available', 'deployment', '--all', '--timeout=120s')
      visitor = await MeshTraffic.start(cluster, 'visitor', {
        namespace: NAMESPACE,
        asks: [
          { name: 'reviews', url: 'http://reviews:9080/reviews/0', pattern: '"podname": ?"reviews-(v\\d)', everyMs: 5, workers: 3 },
          { name: 'stars', url: 'http://reviews:9080/reviews/0', pattern: '"(stars|error)"', workers: 1 },
          { name: 'details', url: 'http://details:9080/details/0' },
          { name: 'ratings', url: 'http://ratings:9080/ratings/0' },
          { name: 'flaky', url: 'http://flaky:8080/', pattern: '(.*)', workers: 1 },
        ],
      })
    }, 240_000)
    afterAll(() => cluster?.stop())

    /** Applies policies, does `work`, takes them away again, and waits until requests are as before. */
    const under = async (objects: readonly PolicyObject[], work: () => Promise<void>): Promise<void> => {
      await cluster.apply(objects)
      try {
        await work()
      } finally {
        await cluster.remove(objects as readonly KubeObject[])
      }
    }
    const expectOutcome = (what: string): void => void asked.add(what)

    test('every pod has its proxy, all are ready, and all requests are answered', async () => {
      const { items } = JSON.parse(await cluster.kubectl('get', 'pods', '-n', NAMESPACE, '-o', 'json')) as { items: readonly Pod[] }
      for (const { metadata, spec, status } of items) {
        const containers = spec?.initContainers?.map((container) => container.name) ?? []
        expect(containers.includes('biplane-proxy'), metadata.name).toBe(dataPlane !== 'node')
        expect(metadata.annotations?.['biplane.dev/sidecar'], metadata.name).toBe(dataPlane === 'node' ? 'node' : 'injected')
        expect(status?.conditions?.find(({ type }) => type === 'Ready')?.status, metadata.name).toBe('True')
      }
      const seen = await visitor.watch('300 answers of reviews', (outcomes) => sum(of(outcomes, 'reviews')) >= 300)
      expect(failed({ ...of(seen, 'reviews'), ...of(seen, 'details'), ...of(seen, 'ratings') })).toEqual({})
      expect(Object.keys(of(seen, 'reviews')).sort()).toEqual(['200 v1', '200 v2', '200 v3'])
    })

    test('a pod that has done its work ends, its sidecar with it; what runs before the application is carried, too', async () => {
      const ask = ['-e', "fetch('http://details:9080/details/0').then(async (answer) => console.log(answer.status, await answer.text()))"]
      const container = (name: string): object => ({ name, image: 'host', command: [process.execPath, ...ask] })
      await cluster.apply([
        {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name: 'once', namespace: NAMESPACE },
          spec: { restartPolicy: 'Never', initContainers: [container('before')], containers: [container('main')] },
        },
      ])
      await cluster.kubectl('wait', '-n', NAMESPACE, '--for=jsonpath={.status.phase}=Succeeded', 'pod/once', '--timeout=60s')
      for (const name of ['before', 'main']) expect(await cluster.kubectl('logs', '-n', NAMESPACE, 'once', '-c', name)).toMatch(/^200 \{/)
    })

    test('a permission lets in whom it names and nobody else, also on connections that were open, until it is taken away', async () => {
      expectOutcome('ratings 403')
      const permission = meshPolicy('MeshTrafficPermission', 'ratings', { app: 'ratings' }, [
        { default: { allow: [{ spiffeID: { type: 'Exact', value: REVIEWS } }] } },
      ])
      await under([permission], async () => {
        await visitor.watch('the visitor is denied', (outcomes) => (of(outcomes, 'ratings')['403'] ?? 0) > 0)
        const later = await visitor.watch('100 answers of ratings', (outcomes) => sum(of(outcomes, 'ratings')) >= 100)
        expect(of(later, 'ratings')).toEqual({ '403': sum(of(later, 'ratings')) })
        expect(failed(of(later, 'reviews'))).toEqual({})
        // reviews is still let in: v2 and v3 show the stars
        expect(Object.keys(of(later, 'stars')).sort()).toEqual(['200', '200 stars'])
      })
      await visitor.watch('the visitor is let in', (outcomes) => (of(outcomes, 'ratings')['200'] ?? 0) > 0)
      const later = await visitor.watch('100 answers of ratings', (outcomes) => sum(of(outcomes, 'ratings')) >= 100)
      expect(failed(of(later, 'ratings'))).toEqual({})
    })

    test('deny wins over allow', async () => {
      const permission = meshPolicy('MeshTrafficPermission', 'ratings', { app: 'ratings' }, [
        {
          default: {
            deny: [{ spiffeID: { type: 'Exact', value: VISITOR } }],
            allow: [{ spiffeID: { type: 'Prefix', value: 'spiffe://default.mesh.local/' } }],
          },
        },
      ])
      await under([permission], async () => {
        await visitor.watch('the visitor is denied', (outcomes) => (of(outcomes, 'ratings')['403'] ?? 0) > 0)
      })
      await visitor.watch('the visitor is let in', (outcomes) => (of(outcomes, 'ratings')['200'] ?? 0) > 0)
    })

    test('a split of 90 to 10 is one', async () => {
      await cluster.kubectl('apply', '-n', NAMESPACE, '-f', join(MANIFESTS, 'bookinfo/route-reviews-90-10.yaml'))
      await settled('reviews goes to v1 and v2', visitor, ({ '200 v3': v3 = 0, '200 v1': v1 = 0 }) => v3 === 0 && v1 > 0)
      const seen = of(await visitor.watch('2000 answers of reviews', (outcomes) => sum(of(outcomes, 'reviews')) >= 2000), 'reviews')
      expect(failed(seen)).toEqual({})
      const share = (seen['200 v2'] ?? 0) / sum(seen)
      // a binomial of 2,000 at 0.1 is outside of five standard deviations (0.0067 each) once in two million
      console.log(`90/10: ${(100 * share).toFixed(1)} % of ${sum(seen)} requests went to v2`)
      expect(share).toBeGreaterThan(0.066)
      expect(share).toBeLessThan(0.134)
      expect(Object.keys(seen).sort()).toEqual(['200 v1', '200 v2'])
    })

    test('a canary is shifted in steps to the end, and no request fails', async () => {
      const during = await visitor.during(async () => {
        for (const weight of [25, 50, 75, 100]) {
          await cluster.apply([reviewsRoute(NAMESPACE, { 'reviews-v1': 100 - weight, 'reviews-v2': weight })])
          await visitor.watch('100 answers of reviews', (outcomes) => sum(of(outcomes, 'reviews')) >= 100)
        }
        await settled('all goes to v2', visitor, (reviews) => Object.keys(reviews).join() === '200 v2')
      })
      expect(failed(of(during, 'reviews'))).toEqual({})
      await cluster.kubectl('delete', '-n', NAMESPACE, 'httproute', 'reviews')
      await settled('reviews goes to all versions', visitor, (reviews) => Object.keys(reviews).length === 3)
    })

    test('a fault is injected into the share of requests that it names', async () => {
      expectOutcome('details 418')
      const fault = meshPolicy('MeshFaultInjection', 'details', { app: 'details' }, [
        { default: { http: [{ abort: { httpStatus: 418, percentage: 40 } }] } },
      ])
      await under([fault], async () => {
        await visitor.watch('a request is aborted', (outcomes) => (of(outcomes, 'details')['418'] ?? 0) > 0)
        const seen = of(await visitor.watch('500 answers of details', (outcomes) => sum(of(outcomes, 'details')) >= 500), 'details')
        const share = (seen['418'] ?? 0) / sum(seen)
        console.log(`fault: ${(100 * share).toFixed(1)} % of ${sum(seen)} requests were aborted`)
        expect(share).toBeGreaterThan(0.29)
        expect(share).toBeLessThan(0.51)
        expect(Object.keys(seen).sort()).toEqual(['200', '418'])
      })
      await settledOn('details', 'no request is aborted', visitor, (details) => Object.keys(details).join() === '200')
    })

    test('an outlier is ejected, and only that', async () => {
      const before = of(await visitor.watch('60 answers of flaky', (outcomes) => sum(of(outcomes, 'flaky')) >= 60), 'flaky')
      expect(before['500 broken']).toBeGreaterThan(0)
      const breaker = {
        apiVersion: 'kuma.io/v1alpha1',
        kind: 'MeshCircuitBreaker',
        metadata: { name: 'flaky', namespace: NAMESPACE },
        spec: {
          targetRef: { kind: 'Dataplane', labels: { app: 'visitor' } },
          to: [
            {
              targetRef: { kind: 'MeshService', name: 'flaky' },
              default: {
                outlierDetection: {
                  interval: '1s',
                  baseEjectionTime: '60s',
                  maxEjectionPercent: 50,
                  detectors: { totalFailures: { consecutive: 3 } },
                },
              },
            },
          ],
        },
      }
      await under([breaker], async () => {
        await settledOn('flaky', 'the broken replica is asked no more', visitor, (flaky) => Object.keys(flaky).join() === '200 whole', 60)
        const seen = of(await visitor.watch('200 answers of flaky', (outcomes) => sum(of(outcomes, 'flaky')) >= 200), 'flaky')
        expect(seen).toEqual({ '200 whole': sum(seen) })
      })
    })

    test('a rolling update of all versions loses no request', async () => {
      const during = await visitor.during(async () => {
        const names = [
          'deployment/details-v1',
          'deployment/ratings-v1',
          'deployment/reviews-v1',
          'deployment/reviews-v2',
          'deployment/reviews-v3',
        ]
        await cluster.kubectl('rollout', 'restart', '-n', NAMESPACE, ...names)
        for (const name of names) await cluster.kubectl('rollout', 'status', '-n', NAMESPACE, name, '--timeout=90s')
      })
      console.log(`rolling update: ${sum(during)} requests, failed ${JSON.stringify(failed(without(during, 'flaky')))}`)
      expect(failed(without(during, 'flaky'))).toEqual({})
    })

    test('the certificate authority is replaced, once every proxy trusts the new one, and no request fails', async () => {
      const phases = async (): Promise<readonly { readonly id: string; readonly phase: string }[]> => {
        const data = await cluster.kubectl(
          'get',
          '-n',
          'biplane-system',
          'secret',
          AUTHORITIES,
          '-o',
          'jsonpath={.data.authorities\\.json}',
        )
        return JSON.parse(Buffer.from(data, 'base64').toString()) as { id: string; phase: string }[]
      }
      const [before] = await phases()
      const during = await visitor.during(async () => {
        await cluster.kubectl('annotate', '-n', 'biplane-system', 'secret', AUTHORITIES, 'biplane.dev/rotate=now')
        await poll(
          'a new authority signs',
          async () => (await phases()).some(({ id, phase }) => phase === 'issuing' && id !== before?.id) || undefined,
        )
        // connections of before and after
        await visitor.watch('500 answers', (outcomes) => sum(outcomes) >= 500)
        await cluster.kubectl('rollout', 'restart', '-n', NAMESPACE, 'deployment/details-v1')
        await cluster.kubectl('rollout', 'status', '-n', NAMESPACE, 'deployment/details-v1', '--timeout=90s')
        await visitor.watch('500 answers', (outcomes) => sum(outcomes) >= 500)
      })
      expect(failed(without(during, 'flaky'))).toEqual({})
      expect((await phases()).map(({ phase }) => phase).sort()).toEqual(['issuing', 'retiring'])
    })

    test('the control plane is killed and comes back: nothing notices', async () => {
      const during = await visitor.during(async () => {
        await cluster.killControlPlane()
        await visitor.watch('300 answers', (outcomes) => sum(outcomes) >= 300)
        await poll('the control plane is back', async () => (await cluster.kubectl('get', '--raw', '/readyz')) === 'ok' || undefined)
      })
      expect(failed(without(during, 'flaky'))).toEqual({})
      // and it still steers
      await cluster.apply([reviewsRoute(NAMESPACE, { 'reviews-v3': 1 })])
      await settled('all goes to v3', visitor, (reviews) => Object.keys(reviews).join() === '200 v3')
      await cluster.kubectl('delete', '-n', NAMESPACE, 'httproute', 'reviews')
    })

    test('in all this time, no request failed that no policy asked to fail', () => {
      const unexpected = Object.fromEntries(Object.entries(failed(visitor.counts())).filter(([what]) => !asked.has(what)))
      expect(unexpected, visitor.lastFailure).toEqual({})
      console.log(`${sum(visitor.counts())} requests in all`)
    })
  })
}

function without(outcomes: Outcomes, ask: string): Outcomes {
  return Object.fromEntries(Object.entries(outcomes).filter(([what]) => !what.startsWith(`${ask} `)))
}

/** Waits until the last 30 answers are as they should be. */
async function settledOn(
  ask: string,
  what: string,
  traffic: MeshTraffic,
  holds: (outcomes: Outcomes) => boolean,
  answers = 30,
): Promise<void> {
  await poll(
    what,
    async () => {
      const seen = of(await traffic.watch(`${answers} answers of ${ask}`, (outcomes) => sum(of(outcomes, ask)) >= answers), ask)
      if (holds(seen)) return true
      throw new Error(`the last were ${JSON.stringify(seen)}`)
    },
    { withinMs: 30_000, everyMs: 10 },
  )
}

function settled(what: string, traffic: MeshTraffic, holds: (reviews: Outcomes) => boolean): Promise<void> {
  return settledOn('reviews', what, traffic, holds)
}
