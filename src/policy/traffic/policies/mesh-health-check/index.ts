/** Active checks of endpoints. Of several kinds of check the one that fits the port's protocol best is made. Source of defaults: Kuma, MeshHealthCheck. */
import type { OutboundContext, PolicyPlugin } from '../../input/index.ts'
import type { HealthCheck } from '../../model/index.ts'
import { mergeConfs } from '../../kuma/merging.ts'

interface Header {
  readonly name: string
  readonly value: string
}

/** Milliseconds and percentages. */
export interface HealthCheckConf {
  readonly interval?: number
  readonly timeout?: number
  readonly unhealthyThreshold?: number
  readonly healthyThreshold?: number
  readonly initialJitter?: number
  readonly intervalJitter?: number
  readonly intervalJitterPercent?: number
  readonly healthyPanicThreshold?: number
  readonly failTrafficOnPanic?: boolean
  readonly noTrafficInterval?: number
  readonly reuseConnection?: boolean
  readonly tcp?: { readonly disabled?: boolean; readonly send?: string; readonly receive?: readonly string[] }
  readonly http?: {
    readonly disabled?: boolean
    readonly path?: string
    readonly expectedStatuses?: readonly number[]
    readonly requestHeadersToAdd?: { readonly add?: readonly Header[]; readonly set?: readonly Header[] }
  }
  readonly grpc?: { readonly disabled?: boolean; readonly serviceName?: string; readonly authority?: string }
}

export const meshHealthCheck: PolicyPlugin<HealthCheckConf> = {
  type: 'MeshHealthCheck',
  merge: mergeConfs,
  cluster(conf, cluster, context) {
    const check = checkOf(conf, context)
    const panic = conf.healthyPanicThreshold
    return { ...cluster, healthChecks: check ? [check] : [], ...(panic === undefined ? {} : { healthyPanicPercent: panic }) }
  },
}

function checkOf(conf: HealthCheckConf, { service }: OutboundContext): HealthCheck | undefined {
  const common = {
    intervalMs: conf.interval ?? 60_000,
    timeoutMs: conf.timeout ?? 15_000,
    unhealthyThreshold: conf.unhealthyThreshold ?? 5,
    healthyThreshold: conf.healthyThreshold ?? 1,
    ...given('initialJitterMs', conf.initialJitter),
    ...given('intervalJitterMs', conf.intervalJitter),
    ...given('intervalJitterPercent', conf.intervalJitterPercent),
    ...given('noTrafficIntervalMs', conf.noTrafficInterval),
    ...given('failTrafficOnPanic', conf.failTrafficOnPanic),
    ...given('reuseConnection', conf.reuseConnection),
  }
  const grpc = isOn(conf.grpc)
  const http = isOn(conf.http)
  const tcp = isOn(conf.tcp)
  if (grpc && service.protocol === 'grpc')
    return { ...common, type: 'grpc', ...given('service', grpc.serviceName), ...given('authority', grpc.authority) }
  if (http && (service.protocol === 'http' || service.protocol === 'http2' || service.protocol === 'grpc')) {
    const headers = [...(http.requestHeadersToAdd?.set ?? []), ...(http.requestHeadersToAdd?.add ?? [])]
    return {
      ...common,
      type: 'http',
      path: http.path ?? '/',
      expectedStatuses: http.expectedStatuses?.length ? http.expectedStatuses : [200],
      ...(headers.length > 0 ? { headers: headers.map(({ name, value }) => ({ name: name.toLowerCase(), value })) } : {}),
    }
  }
  return tcp ? { ...common, type: 'tcp', ...given('send', tcp.send), ...given('receive', tcp.receive) } : undefined
}

function isOn<T extends { readonly disabled?: boolean }>(part: T | undefined): T | undefined {
  return part?.disabled === true ? undefined : part
}

function given<Key extends string, Value>(key: Key, value: Value | undefined): Partial<Record<Key, Value>> {
  return value === undefined ? {} : ({ [key]: value } as Partial<Record<Key, Value>>)
}
