import { spawn, type ChildProcess } from 'node:child_process'
import { createWriteStream, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ENVOY_TYPE, generateEnvoy, type EnvoyInput, type EnvoyOutput } from '../../src/control-plane/mesh/envoy/index.ts'
import { envoyBootstrap, identitySecret, trustSecret } from '../../src/policy/traffic/bootstrap/index.ts'
import { ENVOY } from './find-envoy.ts'
import type { Identity, MeshCa } from './mesh-ca.ts'
import { startXdsServer, type Resources, type XdsServer } from './xds-server.ts'

export interface RunningEnvoy {
  readonly ads: XdsServer
  readonly output: () => EnvoyOutput
  /** Sends it another configuration and waits until all of it is acknowledged. */
  configure(input: EnvoyInput): Promise<void>
  admin(path: string): Promise<string>
  stat(name: string): Promise<number>
  readonly log: () => string
  stop(): Promise<void>
}

/** What the generator makes, as a server sends it. */
export function toResources(output: EnvoyOutput): Resources {
  return new Map(
    Object.entries(output.resources).map(([type, list]) => [
      ENVOY_TYPE[type as keyof typeof ENVOY_TYPE].slice('type.googleapis.com/'.length),
      list,
    ]),
  )
}

/** Envoy with a control plane of its own and, where there is an identity, a node agent's socket. It is ready and has acknowledged everything. */
export async function startEnvoy(
  input: EnvoyInput,
  mesh?: { readonly ca: MeshCa; readonly identity: Identity },
  healthPort = 0,
): Promise<RunningEnvoy> {
  const folder = await mkdtemp(join(tmpdir(), 'envoy-'))
  const ads = await startXdsServer({ socket: join(folder, 'ads.sock') })
  const sds = mesh ? await startXdsServer({ socket: join(folder, 'sds.sock') }) : undefined
  if (mesh && sds) {
    const secrets = [identitySecret(mesh.identity.certificate, mesh.identity.privateKey), trustSecret(mesh.ca.trust)]
    sds.set(
      new Map([['envoy.extensions.transport_sockets.tls.v3.Secret', secrets.map((value) => ({ name: String(value['name']), value }))]]),
    )
  }
  const adminSocket = join(folder, 'admin.sock')
  const bootstrap = envoyBootstrap({
    id: input.settings.name,
    cluster: 'test',
    controlPlane: { socket: ads.target },
    adminSocket,
    ...(sds ? { sdsSocket: sds.target } : {}),
    health: { address: '127.0.0.1', port: healthPort },
  })
  writeFileSync(join(folder, 'bootstrap.json'), JSON.stringify(bootstrap))
  let output = generateEnvoy(input)
  ads.set(toResources(output))

  const child: ChildProcess = spawn(
    ENVOY ?? 'envoy',
    [
      '-c',
      join(folder, 'bootstrap.json'),
      '--disable-hot-restart',
      '--concurrency',
      '1',
      '-l',
      'warning',
      '--drain-time-s',
      '1',
      '--parent-shutdown-time-s',
      '2',
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const logFile = createWriteStream(join(folder, 'log'))
  child.stdout?.pipe(logFile, { end: false })
  child.stderr?.pipe(logFile, { end: false })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const log = (): string => readFileSync(join(folder, 'log'), 'utf8')

  const admin = (path: string): Promise<string> =>
    new Promise((resolve, reject) => {
      request({ socketPath: adminSocket, path }, (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => (text += chunk.toString()))
        response.on('end', () => resolve(text))
      })
        .on('error', reject)
        .end()
    })
  const stop = async (): Promise<void> => {
    if (child.exitCode === null) child.kill('SIGKILL')
    await exited
    await ads.close()
    await sds?.close()
    logFile.end()
    await rm(folder, { recursive: true, force: true })
  }
  const ready = async (): Promise<void> => {
    await ads.acknowledged(typesOf(output))
    for (let attempt = 0; attempt < 200; attempt += 1) {
      if (child.exitCode !== null) throw new Error(`envoy has ended with ${child.exitCode}`)
      if ((await admin('/ready')).startsWith('LIVE')) return
      await new Promise((resolve) => void setTimeout(resolve, 50))
    }
    throw new Error('envoy is not ready after 10 s')
  }
  try {
    await ready()
  } catch (error) {
    const text = log()
    await stop()
    throw new Error(`${(error as Error).message}\n${text.split('\n').slice(-30).join('\n')}`, { cause: error })
  }
  return {
    ads,
    output: () => output,
    async configure(next) {
      const before = toResources(output)
      output = generateEnvoy(next)
      const after = toResources(output)
      const changed = [...after.keys()].filter((type) => JSON.stringify(before.get(type)) !== JSON.stringify(after.get(type)))
      ads.set(after)
      await ads.acknowledged(changed)
    },
    admin,
    async stat(name) {
      const text = await admin(`/stats?filter=${encodeURIComponent(`^${name.replaceAll(/[.|]/g, String.raw`\$&`)}$`)}`)
      return Number(text.trim().split(': ')[1] ?? Number.NaN)
    },
    log,
    stop,
  }
}

/** Types of which there is something; secrets and endpoints are asked for only by those who use them. */
function typesOf(output: EnvoyOutput): readonly string[] {
  return (['cluster', 'listener'] as const)
    .filter((type) => output.resources[type].length > 0)
    .map((type) => ENVOY_TYPE[type].slice('type.googleapis.com/'.length))
}
