import { isIP } from 'node:net'
import type { FieldErrors } from '../../validation/field-errors.ts'
import { checkCidr } from '../../validation/ip.ts'
import type { KumaConf } from './kuma-object.ts'

const VERSIONS = ['TLS10', 'TLS11', 'TLS12', 'TLS13']

/** Lowest not above highest, and none that the proxies have not. */
export function checkVersions(errors: FieldErrors, field: string, conf: KumaConf): void {
  const { min, max } = (conf['tlsVersion'] ?? {}) as { min?: string; max?: string }
  for (const [name, version] of Object.entries({ min, max })) {
    if (version === 'TLS10' || version === 'TLS11')
      errors.invalid(`${field}.tlsVersion.${name}`, version, 'proxies speak TLS12 and TLS13 alone')
  }
  if (min && max && min !== 'TLSAuto' && max !== 'TLSAuto' && VERSIONS.indexOf(min) > VERSIONS.indexOf(max)) {
    errors.invalid(`${field}.tlsVersion`, conf['tlsVersion'], 'min must not be above max')
  }
}

const RETRY_ON = new Set(
  `5xx GatewayError Reset Retriable4xx ConnectFailure EnvoyRatelimited RefusedStream Http3PostConnectFailure HttpMethodConnect HttpMethodDelete
   HttpMethodGet HttpMethodHead HttpMethodOptions HttpMethodPatch HttpMethodPost HttpMethodPut HttpMethodTrace`.split(/\s+/),
)

/** Conditions by name or as a status code. */
export function checkRetryOn(errors: FieldErrors, field: string, conf: KumaConf): void {
  const http = (conf['http'] ?? {}) as { retryOn?: string[] }
  http.retryOn?.forEach((on, i) => {
    if (!RETRY_ON.has(on) && !/^[1-5]\d\d$/.test(on)) {
      errors.invalid(`${field}.http.retryOn[${i}]`, on, 'must be a condition such as 5xx, GatewayError or HttpMethodGet, or a status code')
    }
  })
  for (const name of ['http', 'grpc', 'tcp', 'budget']) {
    const part = conf[name]
    if (part && Object.keys(part).length === 0) errors.required(`${field}.${name}`, 'must not be empty')
  }
}

const HASHED: Readonly<Record<string, string | undefined>> = {
  Header: 'header',
  Cookie: 'cookie',
  Connection: 'connection',
  QueryParameter: 'queryParameter',
  FilterState: 'filterState',
}

/** Hash policies carry what their type says; the ring is not smaller than its least size. */
export function checkHash(errors: FieldErrors, field: string, conf: KumaConf): void {
  const balancer = conf['loadBalancer'] as Balancer | undefined
  const lists: [string, Hash[] | undefined][] = [
    [`${field}.hashPolicies`, conf['hashPolicies'] as Hash[] | undefined],
    [`${field}.loadBalancer.ringHash.hashPolicies`, balancer?.ringHash?.hashPolicies],
    [`${field}.loadBalancer.maglev.hashPolicies`, balancer?.maglev?.hashPolicies],
  ]
  for (const [at, list] of lists) {
    list?.forEach((policy, i) => {
      const part = HASHED[policy.type]
      if (part && policy[part] === undefined) errors.required(`${at}[${i}].${part}`, `type ${policy.type} needs it`)
      if (policy.type === 'FilterState')
        errors.invalid(`${at}[${i}].type`, policy.type, 'is not served here: use Header, Cookie, QueryParameter or Connection')
    })
  }
  const ring = balancer?.ringHash
  if (ring?.minRingSize !== undefined && ring.maxRingSize !== undefined && ring.minRingSize > ring.maxRingSize) {
    errors.invalid(`${field}.loadBalancer.ringHash.minRingSize`, ring.minRingSize, 'must not be above maxRingSize')
  }
}

type Hash = KumaConf & { readonly type: string }
interface Balancer {
  ringHash?: { hashPolicies?: Hash[]; minRingSize?: number; maxRingSize?: number }
  maglev?: { hashPolicies?: Hash[] }
}

const PART_OF_TYPE: Readonly<Record<string, string>> = {
  Tcp: 'tcp',
  File: 'file',
  OpenTelemetry: 'openTelemetry',
  Zipkin: 'zipkin',
  Datadog: 'datadog',
  Prometheus: 'prometheus',
}

/** A backend carries the part that its type names. */
export function checkTypedBackends(errors: FieldErrors, field: string, conf: KumaConf): void {
  ;((conf['backends'] ?? []) as (KumaConf & { type: string })[]).forEach((backend, i) => {
    const part = PART_OF_TYPE[backend.type]
    if (part && backend[part] === undefined) errors.required(`${field}.backends[${i}].${part}`, `type ${backend.type} needs it`)
    const endpoint = (backend['openTelemetry'] as { endpoint?: string } | undefined)?.endpoint
    if (backend.type === 'OpenTelemetry' && backend['openTelemetry'] && !endpoint) {
      errors.required(`${field}.backends[${i}].openTelemetry.endpoint`, 'host:port of a collector')
    }
    for (const name of ['file', 'tcp'])
      checkFormat(errors, `${field}.backends[${i}].${name}.format`, (backend[name] as { format?: Format } | undefined)?.format)
  })
}

interface Format {
  type?: string
  plain?: string
  json?: unknown[]
}

function checkFormat(errors: FieldErrors, field: string, format: Format | undefined): void {
  if (format?.type === 'Plain' && !format.plain) errors.required(`${field}.plain`, 'type Plain needs it')
  if (format?.type === 'Json' && !format.json?.length) errors.required(`${field}.json`, 'type Json needs it')
}

/** Domains, addresses and CIDRs; what a protocol can be matched by. */
export function checkPassthrough(errors: FieldErrors, field: string, conf: KumaConf): void {
  const matches = (conf['appendMatch'] ?? []) as { type: string; value?: string; protocol?: string }[]
  if (conf['passthroughMode'] === 'Matched' && matches.length === 0)
    errors.required(`${field}.appendMatch`, 'mode Matched needs at least one')
  matches.forEach(({ type, value = '', protocol }, i) => {
    const at = `${field}.appendMatch[${i}]`
    if (type === 'IP' && isIP(value) === 0) errors.invalid(`${at}.value`, value, 'must be an IP address')
    if (type === 'CIDR') checkCidr(errors, `${at}.value`, value)
    if (type !== 'Domain') return
    if (!/^(?:\*\.)?(?=.{1,253}$)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/i.test(value) || isIP(value) !== 0) {
      errors.invalid(`${at}.value`, value, 'must be a host name such as api.example.com or *.example.com')
    }
    if (protocol === undefined || protocol === 'tcp' || protocol === 'mysql') {
      errors.invalid(`${at}.protocol`, protocol ?? 'tcp', 'a domain is seen in tls, http, http2 and grpc alone')
    }
  })
}
