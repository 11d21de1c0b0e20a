import { mkdirSync, writeFileSync } from 'node:fs'
import { sleep } from '../../base/clock.ts'
import { bearer, EnvoyProcess, openRelay, openSecretServer } from '../../data-plane/proxy/companion/index.ts'
import { originalDestinationProblem } from '../../data-plane/proxy/transport/index.ts'
import { drainCallers } from '../../data-plane/proxy/runtime/index.ts'
import { envoyBootstrap, identitySecret, IDENTITY_SECRET, trustSecret, TRUST_SECRET } from '../../policy/traffic/bootstrap/index.ts'
import { proxyName } from '../../policy/traffic/model/index.ts'
import { encode } from '../../protocols/xds/index.ts'
import { followSettings, openCompanionHealth, withEnds } from './proxy-companion.ts'
import type { ProxyOptions } from './proxy.ts'

export interface EnvoyProxyOptions extends ProxyOptions {
  /** Path of Envoy. */
  readonly envoy: string
}

/** In the state directory, which is where this process works: the whole may be longer than a socket's name can be. */
const FILES = { control: 'ads.sock', secrets: 'sds.sock', admin: 'admin.sock', bootstrap: 'envoy.json' } as const
const SECRET = 'envoy.extensions.transport_sockets.tls.v3.Secret'
const LOOK_MS = 50

/**
 * Runs Envoy as a proxy of the mesh until the signal aborts: the configuration comes over a relay, which knows the token that Envoy does not; identity and trust
 * are given to it over a socket of their own. @throws Error when Envoy ends by itself
 */
export async function runEnvoyProxy(options: EnvoyProxyOptions, signal: AbortSignal): Promise<void> {
  const problem = options.kind === 'sidecar' ? interceptionProblem(options.ips) : undefined
  if (problem !== undefined) throw new Error(problem)
  mkdirSync(options.stateDir, { recursive: true, mode: 0o700 })
  process.chdir(options.stateDir)
  await withEnds((defer) => run(options, defer, signal))
}

async function run(options: EnvoyProxyOptions, defer: (close: () => Promise<void>) => void, signal: AbortSignal): Promise<void> {
  const { namespace, pod, serviceAccount, node, meshSocket, tokenPath, envoy: binary, clock, log } = options
  const relay = await openRelay({ socket: FILES.control, mode: 0o600, dial: meshSocket, headers: () => bearer(tokenPath), log })
  defer(() => relay.close())
  const secrets = await openSecretServer({ socket: FILES.secrets, log })
  defer(() => secrets.close())
  const follower = followSettings(options)
  defer(() => follower.close())
  const give = (): void => {
    const { material } = follower.identity
    const trust = follower.settings?.trust
    secrets.set(
      new Map([
        ...(material ? ([[IDENTITY_SECRET, encode(SECRET, identitySecret(material.certificate, material.privateKey))]] as const) : []),
        ...(trust ? ([[TRUST_SECRET, encode(SECRET, trustSecret(trust))]] as const) : []),
      ]),
    )
  }
  follower.onChange(give)
  await follower.start()
  give()
  const bootstrap = envoyBootstrap({
    id: proxyName(namespace, pod),
    cluster: serviceAccount,
    metadata: { node },
    controlPlane: { socket: FILES.control },
    sdsSocket: FILES.secrets,
    adminSocket: FILES.admin,
    health: 'elsewhere',
  })
  writeFileSync(FILES.bootstrap, JSON.stringify(bootstrap, null, 2))
  const envoy = new EnvoyProcess({ binary, bootstrap: FILES.bootstrap, admin: FILES.admin, log })
  defer(() => envoy.stop())
  const health = await openCompanionHealth(options, {
    notReady: async () => follower.notReady() ?? refusedSecrets(secrets.refused) ?? (await envoy.notReady()),
    metrics: async () => (await envoy.admin('/stats/prometheus')).body,
    drain: () => drainCallers(envoy, clock, { isTold: () => follower.settings?.draining === true }),
  })
  defer(() => health.close())
  const ended = await Promise.race([envoy.ended, aborted(signal)])
  if (ended !== undefined) throw new Error(`Envoy has ended: ${ended}`)
  await goQuietly(envoy, options)
}

/** Takes nothing new from outside, and lets what runs end for a while. */
async function goQuietly(envoy: EnvoyProcess, { clock, log, stopGraceMs }: EnvoyProxyOptions): Promise<void> {
  try {
    await envoy.drainInbound()
    for (const until = clock.monotonic() + stopGraceMs; (await envoy.connections) > 0 && clock.monotonic() < until;)
      await sleep(clock, LOOK_MS)
  } catch (error) {
    log.warn('Envoy could not be drained', { error: String(error) })
  }
}

function interceptionProblem([address = '']: readonly string[]): string | undefined {
  if (address.startsWith('127.'))
    return 'Envoy as a sidecar needs a network in which connections are intercepted: start the nodes with --network kernel, or use the data plane biplane'
  const problem = originalDestinationProblem()
  return problem === undefined ? undefined : `connections cannot be intercepted here: ${problem}`
}

function refusedSecrets(refused: ReadonlyMap<string, string>): string | undefined {
  const [first] = refused
  return first && `Envoy refuses ${first[0]}: ${first[1]}`
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    else signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}
