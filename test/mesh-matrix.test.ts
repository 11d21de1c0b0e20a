import { join } from 'node:path'
import { afterAll, beforeAll, describe, test } from 'vitest'
import type { KubeObject } from '../src/api/meta/object.ts'
import { labProblem } from '../src/testing/network-lab/index.ts'
import { ENVOY } from './envoy-support/find-envoy.ts'
import { GRPCIO } from './envoy-support/find-grpcio.ts'
import { GRPC_GO } from './mesh-support/find-grpc-go.ts'
import { kernelCluster, type MeshCluster } from './mesh-support/mesh-cluster.ts'
import { meshPolicy, type PolicyObject } from './mesh-support/mesh-objects.ts'
import { MeshTraffic, of, sum, type Outcomes } from './mesh-support/mesh-traffic.ts'
import { poll } from './support/poll.ts'
import { REPOSITORY } from './support/program.ts'
import { requirements } from './support/requirements.ts'

const needed = await requirements({ root: true })
const missing = [needed.missing, labProblem()].filter((text) => text !== '').join(', ')
const SUPPORT = join(REPOSITORY, 'test/mesh-support')
const NAMESPACE = 'matrix'
const PORT = 9000

interface Party {
  readonly dataPlane: 'biplane' | 'envoy' | 'grpc'
  readonly program: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly absent?: string
}

const ON_NODE: Pick<Party, 'program' | 'env'> = {
  program: [process.execPath, join(SUPPORT, 'grpc-echo.mjs')],
  env: { GRPC_XDS_EXPERIMENTAL_RBAC: 'true' },
}
const PARTIES = {
  biplane: { dataPlane: 'biplane', ...ON_NODE },
  envoy: { dataPlane: 'envoy', ...ON_NODE, ...(ENVOY === undefined ? { absent: 'no envoy' } : {}) },
  'grpc-js': { dataPlane: 'grpc', ...ON_NODE },
  'grpc-core': {
    dataPlane: 'grpc',
    program: ['python3', join(SUPPORT, 'grpc-echo.py')],
    env: GRPCIO ?? {},
    ...(GRPCIO === undefined ? { absent: 'no grpcio' } : {}),
  },
  'grpc-go': {
    dataPlane: 'grpc',
    program: [GRPC_GO ?? 'grpc-echo'],
    env: {},
    ...(GRPC_GO === undefined ? { absent: 'no gRPC for Go' } : {}),
  },
} as const satisfies Readonly<Record<string, Party>>
type Name = keyof typeof PARTIES
const partyOf = (name: Name): Party => PARTIES[name]
const ALL = Object.keys(PARTIES) as readonly Name[]
const PRESENT = ALL.filter((name) => partyOf(name).absent === undefined)
const ABSENT = ALL.flatMap((name) => partyOf(name).absent ?? [])
const idOf = (account: string): string => `spiffe://default.mesh.local/ns/${NAMESPACE}/sa/${account}`

/**
 * One gRPC service for each data plane, and one caller for each, who ask all services without a pause. Every policy is applied to all services and must have
 * the same answers for every pair of data planes.
 */
describe.skipIf(missing !== '')(
  `one matrix: ${PRESENT.join(', ')} call each other${missing === '' ? (ABSENT.length === 0 ? '' : ` (${ABSENT.join(', ')})`) : ` (skipped: ${missing})`}`,
  () => {
    let cluster: MeshCluster
    const callers = new Map<Name, MeshTraffic>()
    const pairs = PRESENT.flatMap((caller) => PRESENT.map((server) => ({ caller, server })))

    beforeAll(async () => {
      cluster = await kernelCluster([], { nodes: ['a'] })
      await cluster.apply([
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels: { 'kuma.io/sidecar-injection': 'enabled' } } },
      ])
      await cluster.apply(PRESENT.flatMap((name) => serverObjects(name)))
      await cluster.kubectl('wait', '-n', NAMESPACE, '--for=condition=Available', 'deployment', '--all', '--timeout=120s')
      for (const name of PRESENT) {
        const { dataPlane, program, env } = partyOf(name)
        const asks = PRESENT.flatMap((server) => [
          // so many pairs at once: they are to be asked, not to be loaded
          { name: server, target: `echo-${server}.${NAMESPACE}:${PORT}`, everyMs: 25 },
          { name: `${server}-v2`, target: `echo-${server}.${NAMESPACE}:${PORT}`, headers: { 'x-version': 'v2' }, everyMs: 50 },
        ])
        const annotations = { 'biplane.dev/data-plane': dataPlane }
        callers.set(
          name,
          await MeshTraffic.start(cluster, `caller-${name}`, {
            namespace: NAMESPACE,
            asks,
            annotations,
            command: [...program, 'call'],
            env,
          }),
        )
      }
    }, 240_000)
    afterAll(() => cluster?.stop())

    /** Applies one object for each service, and waits until all pairs answer as they should. */
    const expectEverywhere = async (
      what: string,
      objects: readonly PolicyObject[],
      holds: (outcomes: Outcomes, pair: { readonly caller: Name; readonly server: Name }) => boolean,
      options: { readonly answers?: number; readonly suffix?: string } = {},
    ): Promise<void> => {
      if (objects.length > 0) await cluster.apply(objects)
      try {
        const rows = await Promise.all(
          pairs.map(async (pair) => {
            const ask = `${pair.server}${options.suffix ?? ''}`
            const name = `${pair.caller} -> ${ask}`
            const traffic = callers.get(pair.caller) as MeshTraffic
            const seen = await settle(`${what}: ${name}`, traffic, ask, (outcomes) => holds(outcomes, pair), options.answers ?? 20)
            return `  ${name}: ${JSON.stringify(seen)}`
          }),
        )
        console.log([what, ...rows].join('\n'))
      } finally {
        if (objects.length > 0) await cluster.remove(objects as readonly KubeObject[])
      }
    }

    test('all reach all, and both versions answer', async () => {
      await expectEverywhere('nothing is asked of them', [], (outcomes) => Object.keys(outcomes).sort().join() === 'OK v1,OK v2')
    })

    test('a permission lets in whom it names and nobody else', async () => {
      for (const allowed of PRESENT) {
        const permissions = PRESENT.map((server) =>
          meshPolicy(
            'MeshTrafficPermission',
            `echo-${server}`,
            { app: `echo-${server}` },
            [{ default: { allow: [{ spiffeID: { type: 'Exact', value: idOf(`caller-${allowed}`) } }] } }],
            NAMESPACE,
          ),
        )
        await expectEverywhere(`only caller-${allowed} may`, permissions, (outcomes, { caller }) =>
          Object.keys(outcomes).every((what) => (caller === allowed ? what.startsWith('OK ') : what === 'PERMISSION_DENIED')),
        )
      }
      await expectEverywhere('everybody may again', [], (outcomes) => Object.keys(outcomes).sort().join() === 'OK v1,OK v2')
    })

    test('a split of 90 to 10 is one', async () => {
      const routes = PRESENT.map((server) => grpcRoute(server, [{ backendRefs: weighted(server, { v1: 90, v2: 10 }) }]))
      await expectEverywhere(
        '90/10',
        routes,
        (outcomes) => {
          const share = (outcomes['OK v2'] ?? 0) / sum(outcomes)
          // a binomial of 200 at 0.1: five standard deviations are 0.106
          return Object.keys(outcomes).every((what) => what.startsWith('OK ')) && share > 0 && share < 0.206
        },
        { answers: 200 },
      )
    })

    test('a header chooses the version', async () => {
      const routes = PRESENT.map((server) =>
        grpcRoute(server, [
          { matches: [{ headers: [{ name: 'x-version', value: 'v2' }] }], backendRefs: weighted(server, { v2: 1 }) },
          { backendRefs: weighted(server, { v1: 1 }) },
        ]),
      )
      await cluster.apply(routes)
      await expectEverywhere('with the header', [], (outcomes) => Object.keys(outcomes).join() === 'OK v2', { suffix: '-v2', answers: 10 })
      await expectEverywhere('without', [], (outcomes) => Object.keys(outcomes).join() === 'OK v1')
      await cluster.remove(routes as readonly KubeObject[])
    })

    test('a fault is injected on the side of the server, where there is a proxy to do so', async () => {
      const proxied = PRESENT.filter((name) => partyOf(name).dataPlane !== 'grpc')
      console.log('not at proxyless servers: gRPC has no faults there (gRFC A33), as the generator says')
      const faults = proxied.map((server) =>
        meshPolicy(
          'MeshFaultInjection',
          `echo-${server}`,
          { app: `echo-${server}` },
          [{ default: { http: [{ abort: { httpStatus: 418, percentage: 50 } }] } }],
          NAMESPACE,
        ),
      )
      await expectEverywhere(
        // no status that callers try again for
        'half of the calls fail',
        faults,
        (outcomes, { server }) => {
          const share = (outcomes['UNKNOWN'] ?? 0) / sum(outcomes)
          const others = Object.keys(outcomes).filter((what) => what !== 'UNKNOWN')
          if (!others.every((what) => what.startsWith('OK '))) return false
          // a binomial of 200 at 0.5: five standard deviations are 0.177
          return partyOf(server).dataPlane === 'grpc' ? share === 0 : share > 0.323 && share < 0.677
        },
        { answers: 200 },
      )
    })
  },
)

/** Two versions behind one service, and a service for each. */
function serverObjects(party: Name): readonly object[] {
  const { dataPlane, program, env } = partyOf(party)
  const app = `echo-${party}`
  const service = (name: string, selector: Readonly<Record<string, string>>): object => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: NAMESPACE },
    spec: { selector, ports: [{ name: 'grpc', port: PORT, appProtocol: 'grpc' }] },
  })
  const deployment = (version: string): object => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: `${app}-${version}`, namespace: NAMESPACE },
    spec: {
      selector: { matchLabels: { app, version } },
      template: {
        metadata: { labels: { app, version }, annotations: { 'biplane.dev/data-plane': dataPlane } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'main',
              image: 'host',
              command: [...program, 'serve', String(PORT), version],
              env: Object.entries(env).map(([name, value]) => ({ name, value })),
              ports: [{ name: 'grpc', containerPort: PORT }],
            },
          ],
        },
      },
    },
  })
  return [
    service(app, { app }),
    ...['v1', 'v2'].flatMap((version) => [service(`${app}-${version}`, { app, version }), deployment(version)]),
  ]
}

const weighted = (server: Name, weights: Readonly<Record<string, number>>): readonly object[] =>
  Object.entries(weights).map(([version, weight]) => ({ name: `echo-${server}-${version}`, port: PORT, weight }))

function grpcRoute(server: Name, rules: readonly object[]): PolicyObject {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'GRPCRoute',
    metadata: { name: `echo-${server}`, namespace: NAMESPACE },
    spec: { parentRefs: [{ group: '', kind: 'Service', name: `echo-${server}`, port: PORT }], rules },
  }
}

/** Waits until so many answers in a row are as they should be. */
async function settle(
  what: string,
  traffic: MeshTraffic,
  ask: string,
  holds: (outcomes: Outcomes) => boolean,
  answers: number,
): Promise<Outcomes> {
  const look = async (): Promise<Outcomes> => {
    const seen = of(await traffic.watch(`${answers} answers to ${what}`, (outcomes) => sum(of(outcomes, ask)) >= answers), ask)
    if (holds(seen)) return seen
    throw new Error(`the last were ${JSON.stringify(seen)}; ${traffic.lastFailure}`)
  }
  return await poll(
    what,
    async () => {
      // the first that are as they should be may have answers among them from before the change
      await look()
      return await look()
    },
    { withinMs: 40_000, everyMs: 10 },
  )
}
