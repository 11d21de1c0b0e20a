import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Pod } from '../src/api/generated/types.ts'
import { dataLayout } from '../src/cli/compose/layout.ts'
import { cgroupTableOf } from '../src/cli/compose/node-interception.ts'
import { parseMountInfo } from '../src/data-plane/node/runtimes/process/mountinfo.ts'
import { loopbackIntercepts } from './mesh-support/mesh-cluster.ts'
import { meshPolicy } from './mesh-support/mesh-objects.ts'
import { Cluster } from './support/cluster.ts'
import { poll } from './support/poll.ts'
import { commandLineOf } from './support/processes.ts'
import { requirements } from './support/requirements.ts'

const needed = await requirements({ root: true })
const missing = [needed.missing, loopbackIntercepts() ? '' : 'needs nft and cgroup2'].filter((text) => text !== '').join(', ')

/** Answers with the names of the headers that a sidecar adds, which are none where nobody stands in between. Port 9000 is left alone by the mesh. */
const SERVER = `
const { createServer } = require('node:http')
const answer = (request, response) => response.end(request.headers['x-request-id'] === undefined ? 'direct' : 'led')
for (const port of [5050, 9000, 9001]) createServer(answer).listen(port, process.env.BIPLANE_POD_IP)`

const EXCLUDED = { 'traffic.kuma.io/exclude-inbound-ports': '9000', 'traffic.kuma.io/exclude-outbound-ports': '9001' }

const server = (name: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', labels: { app: name }, annotations: EXCLUDED },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'main',
        image: 'host',
        command: [process.execPath, '-e', SERVER],
        ports: [{ name: 'http', containerPort: 5050 }],
        readinessProbe: { tcpSocket: { port: 5050 }, periodSeconds: 1 },
      },
    ],
  },
})

describe.skipIf(missing !== '')(`interception in a loopback network${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let cluster: Cluster
  let table: string
  const pods = new Map<string, Pod>()

  beforeAll(async () => {
    cluster = await Cluster.start({ kubectl: needed.kubectl })
    await cluster.kubectl('create', 'namespace', 'shop')
    await cluster.kubectl('label', 'namespace', 'shop', 'kuma.io/sidecar-injection=enabled')
    for (const name of ['one', 'two']) await create(server(name))
    const { nodeName } = pods.get('one')?.spec ?? {}
    table = cgroupTableOf(dataLayout(join(cluster.dir, 'data')).node(nodeName ?? '').pods)
  }, 120_000)
  afterAll(() => cluster?.stop())

  async function apply(object: object): Promise<void> {
    const path = join(cluster.dir, 'object.json')
    writeFileSync(path, JSON.stringify(object))
    await cluster.kubectl('apply', '-f', path)
  }
  async function create(pod: Pod): Promise<void> {
    const { name } = pod.metadata
    await apply(pod)
    await cluster.kubectl('wait', '-n', 'shop', '--for=condition=Ready', `pod/${name}`, '--timeout=60s')
    pods.set(name, await cluster.get<Pod & { kind: string }>('pod', '-n', 'shop', name))
  }
  const ipOf = (name: string): string => pods.get(name)?.status?.podIP ?? ''
  /** Pods that have rules, by address. */
  const guarded = async (): Promise<readonly string[]> => {
    const { stdout } = await nft('list', 'ruleset')
    const own = stdout.split(/^table /m).find((text) => text.startsWith(`ip ${table} `)) ?? ''
    return [...own.matchAll(/chain in-(\S+)/g)].map(([, ip]) => ip as string)
  }

  test('what is dialled at a pod is led to its sidecar, but for what its own processes dial and the ports that are left alone', async () => {
    expect(await ask(ipOf('one'), 5050)).toBe('led')
    expect(await ask(ipOf('one'), 9000)).toBe('direct')
    expect(cgroupsOf(pods.get('one'))).toHaveLength(1)
    expect(await askAs(pods.get('one'), ipOf('one'))).toBe('direct')
    expect([...(await guarded())].sort()).toEqual([ipOf('one'), ipOf('two')].sort())
  })

  test('what an application dials at other pods is led to its own sidecar: by mutual TLS to those of the mesh, as it is to others', async () => {
    const spec = { clusterIP: 'None', selector: { app: 'one' }, ports: [{ name: 'http', port: 5050, appProtocol: 'http' }] }
    await apply({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'one', namespace: 'shop' }, spec })
    await apply(meshPolicy('MeshTLS', 'strict', { app: 'one' }, [{ default: { mode: 'Strict' } }]))
    await poll('plain text is refused', async () => ((await ask(ipOf('one'), 5050)) === 'ECONNRESET' ? true : undefined))
    await poll('the other pod gets in', async () => ((await askAs(pods.get('two'), ipOf('one'))) === 'led' ? true : undefined))
    expect(await askAs(pods.get('one'), ipOf('two'))).toBe('led')
    // past its own sidecar by a port that it leaves alone, but not past that of the other
    expect(await askAs(pods.get('two'), ipOf('one'), 9001)).toBe('')
    expect(await askAs(pods.get('two'), ipOf('one'), 9000)).toBe('direct')
  })

  test('what is strict stays strict while its agent is dead, and after the next one has come', async () => {
    const answers = new Set<string>()
    const over = new AbortController()
    const asking = (async () => {
      while (!over.signal.aborted) answers.add(await ask(ipOf('one'), 5050))
    })()
    const before = must(cluster.child('node'))
    process.kill(before, 'SIGKILL')
    // somebody's rule in the node's table: the next agent's is another table
    await nft('add', 'chain', 'ip', table, 'in-192.0.2.1')
    expect([...(await guarded())].sort()).toEqual([ipOf('one'), ipOf('two'), '192.0.2.1'].sort())
    await poll('another agent has replaced the table', async () => ((await guarded()).length === 2 ? true : undefined))
    expect(cluster.child('node')).not.toBe(before)
    await create(server('three'))
    over.abort()
    await asking
    expect([...answers]).toEqual(['ECONNRESET'])
    expect(await ask(ipOf('two'), 5050)).toBe('led')
    expect([...(await guarded())].sort()).toEqual([ipOf('one'), ipOf('two'), ipOf('three')].sort())
  })

  test('what another program takes away is put back', async () => {
    await nft('delete', 'table', 'ip', table)
    await poll('the table is back', async () => ((await guarded()).length === 3 ? true : undefined))
    expect(await ask(ipOf('one'), 5050)).toBe('ECONNRESET')
  })

  test('a container that starts again is still one of its pod', async () => {
    const [pid] = cluster.pidsOf(pods.get('two') as Pod & { kind: string }).filter((one) => commandLineOf(one).includes('createServer'))
    process.kill(must(pid), 'SIGKILL')
    await poll('it runs again', async () => ((await ask(ipOf('two'), 9000)) === 'direct' ? true : undefined))
    expect(await ask(ipOf('two'), 5050)).toBe('led')
  })

  test('rules and cgroups go with their pod, also with one that goes while no agent is there', async () => {
    await cluster.kubectl('delete', 'pod', '-n', 'shop', 'two', '--wait=false')
    process.kill(must(cluster.child('node')), 'SIGKILL')
    await poll('the rules of the pod are gone', async () => ((await guarded()).length === 2 ? true : undefined))
    await poll('its cgroups are gone', () => (cgroupsOf(pods.get('two')).length === 0 ? true : undefined))
    expect([...(await guarded())].sort()).toEqual([ipOf('one'), ipOf('three')].sort())
    await cluster.kubectl('delete', 'pod', '-n', 'shop', 'one', 'three')
    await poll('the table is gone', async () => ((await nft('list', 'tables')).stdout.includes(table) ? undefined : true))
    for (const pod of pods.values()) expect(cgroupsOf(pod)).toEqual([])
  })
})

const nft = (...args: readonly string[]): Promise<{ stdout: string }> => promisify(execFile)('nft', [...args])

function must(pid: number | undefined): number {
  if (pid === undefined) throw new Error('there is no such process')
  return pid
}

/** What the server says, or why there is no answer. */
function ask(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const request = get({ host, port, agent: false, timeout: 5_000 }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve(response.statusCode === 200 ? text : String(response.statusCode)))
      response.on('error', ({ message }) => resolve(message))
    })
    request.on('timeout', () => request.destroy(new Error('no answer')))
    request.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}

/** As `ask`, from a process of a pod: of a cgroup below the pod's own. '' where there is no answer. */
async function askAs(pod: Pod | undefined, host: string, port = 5050): Promise<string> {
  const [dir = ''] = cgroupsOf(pod)
  const own = join(dir, 'test')
  const request = `exec 3<>/dev/tcp/${host}/${port} && printf 'GET / HTTP/1.0\\r\\nhost: x\\r\\n\\r\\n' >&3 && timeout 5 tail -n 1 <&3`
  const script = `mkdir ${own} && echo 0 > ${own}/cgroup.procs && { ${request} || true; }`
  const { stdout } = await promisify(execFile)('bash', ['-c', script])
  rmdirSync(own)
  return stdout
}

/** The cgroup of version 2 that a pod has, where it has one; with more of that name by other nodes of the machine. */
function cgroupsOf(pod: Pod | undefined): readonly string[] {
  const root = parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8')).find(({ fsType }) => fsType === 'cgroup2')?.mountPoint ?? ''
  const parent = join(root, 'biplane')
  if (!existsSync(parent)) return []
  return readdirSync(parent)
    .map((owner) => join(parent, owner, pod?.metadata.uid ?? 'none'))
    .filter((dir) => existsSync(dir))
}
