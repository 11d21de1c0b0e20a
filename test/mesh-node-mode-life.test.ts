import { X509Certificate } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Pod } from '../src/api/generated/types.ts'
import { dataLayout } from '../src/cli/compose/layout.ts'
import { hostedDir } from '../src/cli/compose/node-proxy-companion.ts'
import { hostedLayout } from '../src/data-plane/node/mesh/index.ts'
import { labProblem } from '../src/testing/network-lab/index.ts'
import { kernelCluster, type MeshCluster } from './mesh-support/mesh-cluster.ts'
import { failed, MeshTraffic, of, sum, type Outcomes } from './mesh-support/mesh-traffic.ts'
import { anotherBuild } from './packets-support/companions.ts'
import type { LabCluster } from './support/lab-cluster.ts'
import { run } from './support/lab-processes.ts'
import { poll } from './support/poll.ts'
import { requirements } from './support/requirements.ts'

const needed = await requirements({ root: true })
const missing = [needed.missing, labProblem()].filter((text) => text !== '').join(', ')
const suffix = missing === '' ? '' : ` (skipped: ${missing})`

/** Answers who has called it. */
const ECHO =
  "require('node:http').createServer((request, response) => response.end(request.socket.remoteAddress.replace('::ffff:', ''))).listen(8080)"

const deployment = (name: string, namespace: string, more: object = {}): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        terminationGracePeriodSeconds: 10,
        containers: [
          {
            name: 'main',
            image: 'node:22',
            args: ['-e', ECHO],
            ports: [{ containerPort: 8080 }],
            readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
            ...more,
          },
        ],
      },
    },
  },
})
const service = (name: string, namespace: string): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace },
  spec: { selector: { app: name }, ports: [{ name: 'http', port: 8080 }] },
})

/** One proxy carries the connections of all pods of a node: who it is, whose addresses and keys it uses, and what becomes of it. */
describe.skipIf(missing !== '')(`the proxy of a node${suffix}`, () => {
  let cluster: MeshCluster
  let lab: LabCluster
  let visitor: MeshTraffic
  const dir = (): string => hostedDir(lab.node('a').dataDir, 'a')
  const podsOf = async (namespace: string): Promise<readonly Pod[]> =>
    (JSON.parse(await cluster.kubectl('get', 'pods', '-n', namespace, '-o', 'json')) as { items: readonly Pod[] }).items
  /** Its process id, once it is another than before. */
  const proxy = (before?: number): Promise<number> =>
    poll('the proxy of the node runs', () => {
      const file = join(dataLayout(lab.node('a').dataDir).node('a').state, 'proxy.process.json')
      const { running } = JSON.parse(readFileSync(file, 'utf8')) as { readonly running?: { readonly pid: number } }
      return running && running.pid !== before && existsSync(`/proc/${running.pid}`) ? running.pid : undefined
    })
  const answers = async (): Promise<void> => {
    const enough = (outcomes: Outcomes): boolean => sum(of(outcomes, 'web')) >= 20 || Object.keys(failed(outcomes)).length > 0
    const deadline = performance.now() + 60_000
    while (Object.keys(failed(await visitor.watch('20 answers in a row', enough))).length > 0)
      if (performance.now() > deadline) throw new Error(`requests fail for a minute: ${visitor.lastFailure}`)
  }

  beforeAll(async () => {
    cluster = await kernelCluster([], { nodes: ['a'] })
    lab = cluster.lab as LabCluster
    expect(existsSync(join(hostedLayout(dir()).state, 'node.sock')), 'without pods there is no such process').toBe(false)
    const meshed = { labels: { 'kuma.io/sidecar-injection': 'enabled' }, annotations: { 'biplane.dev/data-plane': 'node' } }
    await cluster.apply([
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', ...meshed } },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'outside' } },
      {
        apiVersion: 'kuma.io/v1alpha1',
        kind: 'MeshTLS',
        metadata: { name: 'strict', namespace: 'shop' },
        spec: { targetRef: { kind: 'Dataplane' }, rules: [{ default: { mode: 'Strict' } }] },
      },
      deployment('web', 'shop'),
      service('web', 'shop'),
      deployment('echo', 'outside'),
      service('echo', 'outside'),
    ])
    for (const [namespace, name] of [
      ['shop', 'web'],
      ['outside', 'echo'],
    ])
      await cluster.kubectl('wait', '-n', namespace as string, '--for=condition=Available', `deployment/${name}`, '--timeout=90s')
    visitor = await MeshTraffic.start(cluster, 'visitor', {
      namespace: 'shop',
      asks: [
        { name: 'web', url: 'http://web:8080/' },
        { name: 'echo', url: 'http://echo.outside:8080/', pattern: '(.*)' },
      ],
    })
  }, 180_000)
  afterAll(() => cluster?.stop())

  test('is a user of its own with one right, whose keys are for nobody else', async () => {
    const status = readFileSync(`/proc/${await proxy()}/status`, 'utf8')
    expect(status).toMatch(/^Uid:\s+5679\s+5679\s+5679\s+5679$/m)
    // CAP_SYS_ADMIN is number 21
    for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb']) expect(status).toMatch(new RegExp(`^Cap${set}:\\s+0000000000200000$`, 'm'))
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m)
    const { state, tokens } = hostedLayout(dir())
    const uids = (await podsOf('shop')).map(({ metadata }) => metadata.uid as string)
    expect(readdirSync(tokens).toSorted()).toEqual(uids.toSorted())
    for (const uid of uids) {
      const { mode, uid: owner } = statSync(join(state, uid))
      expect([mode & 0o777, owner]).toEqual([0o700, 5679])
      for (const file of [join(state, uid, 'identity.json'), join(tokens, uid)])
        expect((await run(['setpriv', '--reuid=5678', '--regid=5678', '--clear-groups', 'cat', file], {})).stderr).toMatch(
          /Permission denied/,
        )
    }
  })

  test('has an identity for each pod, each with a key of its own', async () => {
    const held = (await podsOf('shop')).map(({ metadata }) => {
      const file = join(hostedLayout(dir()).state, metadata.uid as string, 'identity.json')
      const { certificate, privateKey } = JSON.parse(readFileSync(file, 'utf8')) as { certificate: string; privateKey: string }
      return { privateKey, name: new X509Certificate(certificate).subjectAltName }
    })
    expect(held.map(({ name }) => String(name)).toSorted()).toEqual([
      'URI:spiffe://default.mesh.local/ns/shop/sa/default',
      'URI:spiffe://default.mesh.local/ns/shop/sa/visitor',
    ])
    expect(new Set(held.map(({ privateKey }) => privateKey)).size).toBe(2)
  })

  test("dials with the pod's own address, and probes get through to a pod that takes nothing but mutual TLS", async () => {
    const { status } = JSON.parse(await cluster.kubectl('get', 'pod', '-n', 'shop', 'visitor', '-o', 'json')) as Pod
    const seen = of(await visitor.watch('20 answers of echo', (outcomes) => sum(of(outcomes, 'echo')) >= 20), 'echo')
    expect(Object.keys(seen)).toEqual([`200 ${status?.podIP}`])
    await answers()
    const [web] = (await podsOf('shop')).filter(({ metadata }) => metadata.name.startsWith('web'))
    expect(web?.spec?.containers[0]?.readinessProbe?.httpGet?.port).toBe(15_021)
    const plain = await lab.node('a').host.run(['curl', '-sm', '2', `http://${web?.status?.podIP}:8080/`])
    expect([52, 56]).toContain(plain.code)
  })

  test('is killed: another one carries the same pods on, none of which notices but by its connections', async () => {
    const before = await proxy()
    const began = performance.now()
    process.kill(before, 'SIGKILL')
    await visitor.watch('a request fails', (outcomes) => Object.keys(failed(outcomes)).length > 0)
    await answers()
    console.log(`killed: requests were answered again after ${Math.round(performance.now() - began)} ms (20 in a row)`)
    expect(await proxy(before)).not.toBe(before)
    for (const { metadata, status } of await podsOf('shop'))
      expect(
        status?.containerStatuses?.map(({ restartCount }) => restartCount),
        metadata.name,
      ).toEqual([0])
  })

  test('outlives its agent and the control plane, which may be killed and come back', async () => {
    const before = await proxy()
    const during = await visitor.during(async () => {
      await lab.kill('a')
      await lab.kill('control-plane')
      await visitor.watch('100 answers', (outcomes) => sum(of(outcomes, 'web')) >= 100)
      await lab.startControlPlane()
      lab.startNode('a')
      await lab.ready('a')
      await visitor.watch('100 answers', (outcomes) => sum(of(outcomes, 'web')) >= 100)
    })
    expect(failed(during), visitor.lastFailure).toEqual({})
    expect(await proxy()).toBe(before)
  }, 120_000)

  test('is upgraded: the new one listens before the old one goes', async () => {
    const before = await proxy()
    lab.program = anotherBuild(lab.dir)
    const during = await visitor.during(async () => {
      await lab.kill('a', 'SIGTERM')
      lab.startNode('a')
      await lab.ready('a')
      await proxy(before)
      await poll('the old one is gone', () => (existsSync(`/proc/${before}`) ? undefined : true))
      await answers()
    })
    console.log(`upgrade: ${sum(during)} requests, failed ${JSON.stringify(failed(during))}`)
    expect(failed(during), visitor.lastFailure).toEqual({})
  }, 120_000)

  test('lets go of pods that have done their work, keys and all, and of all others when they are deleted', async () => {
    const { state, pods } = hostedLayout(dir())
    const code = "fetch('http://web:8080/').then((answer) => { if (!answer.ok) process.exit(1) })"
    await cluster.apply([
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'once', namespace: 'shop' },
        spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'node:22', args: ['-e', code] }] },
      },
    ])
    await cluster.kubectl('wait', '-n', 'shop', '--for=jsonpath={.status.phase}=Succeeded', 'pod/once', '--timeout=30s')
    const others = (await podsOf('shop')).filter(({ status }) => status?.phase === 'Running').map(({ metadata }) => String(metadata.uid))
    const held = (): string[] => readdirSync(state).filter((name) => /^[\w-]+$/.test(name))
    await poll(
      'what is done has nothing more here',
      () => (readdirSync(pods).length === others.length && held().length === others.length) || undefined,
    )
    expect(held().toSorted()).toEqual(others.toSorted())
    await cluster.kubectl('delete', 'namespace', 'shop', '--timeout=60s')
    await poll('nothing is left', () => (readdirSync(pods).length === 0 && held().length === 0) || undefined)
  }, 120_000)
})
