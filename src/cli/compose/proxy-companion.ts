import { openHealthServer, type HealthServer } from '../../data-plane/proxy/health/index.ts'
import { SettingsFollower } from '../../data-plane/proxy/companion/index.ts'
import { HEALTH_PORT, proxyName } from '../../policy/traffic/model/index.ts'
import type { ProxyOptions } from './proxy.ts'

/** What our own proxy is told besides what it carries, for a data plane that is not ours. */
export function followSettings(options: ProxyOptions): SettingsFollower {
  const { namespace, pod, serviceAccount, meshSocket, tokenPath, stateDir, clock, random, log } = options
  return new SettingsFollower({
    name: proxyName(namespace, pod),
    cluster: serviceAccount,
    dial: meshSocket,
    tokenPath,
    stateDir,
    clock,
    random,
    log,
  })
}

export interface CompanionHealth {
  readonly notReady: () => string | undefined | Promise<string | undefined>
  readonly metrics: () => string | Promise<string>
  /** Sends callers away. */
  readonly drain?: () => Promise<void>
}

/** Readiness, probes of the application, drain and metrics, where our own proxy has them. */
export async function openCompanionHealth(options: ProxyOptions, { drain, ...parts }: CompanionHealth): Promise<HealthServer> {
  const { ips, probes, drainToken } = options
  const [address = '127.0.0.1'] = ips
  return await openHealthServer({
    listen: { host: address.startsWith('127.') ? address : '::', port: HEALTH_PORT },
    probes,
    appHost: address,
    ...parts,
    ...(drainToken === undefined || !drain ? {} : { drain: { token: drainToken, run: drain } }),
  })
}

/** Runs something that opens several things: whatever becomes of it they are closed, the last one first. */
export async function withEnds(run: (defer: (close: () => Promise<void>) => void) => Promise<void>): Promise<void> {
  const closes: (() => Promise<void>)[] = []
  try {
    await run((close) => void closes.unshift(close))
  } finally {
    for (const close of closes) await close()
  }
}
