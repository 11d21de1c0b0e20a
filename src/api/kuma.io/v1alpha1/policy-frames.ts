import type { FieldErrors } from '../../validation/field-errors.ts'
import { parseKumaDuration } from './kuma-duration.ts'
import { checkCallerMatch, type PolicyFrame } from './policy-checks.ts'
import type { KumaCallerMatch, KumaConf } from './kuma-object.ts'
import { checkHash, checkPassthrough, checkRetryOn, checkTypedBackends, checkVersions } from './policy-conf-checks.ts'

const PROXIES = ['Mesh', 'Dataplane', 'MeshSubset', 'MeshService', 'MeshServiceSubset', 'MeshGateway', 'MeshHTTPRoute']
const SERVICES = ['Mesh', 'MeshService', 'MeshExternalService', 'MeshMultiZoneService', 'MeshServiceSubset', 'MeshHTTPRoute']
const both = { top: PROXIES, to: SERVICES, rules: true } as const

/** What each policy's object may say: one row for each kind. Source: Kuma's validators. */
export const POLICY_FRAMES: Readonly<Record<string, PolicyFrame>> = {
  MeshTrafficPermission: { top: PROXIES, rules: true, oneOf: ['allow', 'deny', 'allowWithShadowDeny', 'action'], conf: checkPermission },
  MeshTLS: { top: PROXIES, rules: true, oneOf: ['mode', 'tlsVersion', 'tlsCiphers'], conf: checkVersions },
  MeshTimeout: { ...both, oneOf: ['connectionTimeout', 'idleTimeout', 'http'] },
  MeshRetry: { top: PROXIES, to: SERVICES, oneOf: ['http', 'grpc', 'tcp', 'budget'], conf: checkRetryOn },
  MeshCircuitBreaker: { ...both, oneOf: ['connectionLimits', 'outlierDetection'] },
  MeshHealthCheck: { top: PROXIES, to: SERVICES, oneOf: ['http', 'tcp', 'grpc'] },
  MeshRateLimit: { ...both, oneOf: ['local'], conf: checkRateLimit },
  MeshFaultInjection: { ...both, oneOf: ['http'], conf: checkFaults },
  MeshLoadBalancingStrategy: {
    top: PROXIES,
    to: SERVICES,
    oneOf: ['loadBalancer', 'localityAwareness', 'hashPolicies'],
    conf: checkHash,
  },
  MeshAccessLog: { ...both, oneOf: ['backends'], conf: checkTypedBackends },
  MeshMetric: { top: PROXIES, whole: true, conf: checkTypedBackends },
  MeshTrace: { top: PROXIES, whole: true, conf: checkTrace },
  MeshPassthrough: { top: PROXIES, whole: true, conf: checkPassthrough },
  MeshProxyPatch: { top: PROXIES, whole: true, oneOf: ['appendModifications'], conf: checkModifications },
}

function checkPermission(errors: FieldErrors, field: string, conf: KumaConf, side: string): void {
  const lists = (['allow', 'deny', 'allowWithShadowDeny'] as const).filter((name) => conf[name] !== undefined)
  if (side === 'from' && lists.length > 0) errors.forbidden(`${field}.${lists[0]}`, 'may only be set in spec.rules; spec.from has action')
  if (side === 'rules' && conf['action'] !== undefined)
    errors.forbidden(`${field}.action`, 'may only be set in spec.from; use allow, deny or allowWithShadowDeny')
  for (const name of lists) {
    ;(conf[name] as KumaCallerMatch[]).forEach((match, i) => checkCallerMatch(errors, `${field}.${name}[${i}]`, match))
  }
}

function checkRateLimit(errors: FieldErrors, field: string, conf: KumaConf): void {
  const local = conf['local'] as { http?: { disabled?: boolean; requestRate?: Rate }; tcp?: { disabled?: boolean; connectionRate?: Rate } }
  if (!local.http && !local.tcp) errors.required(`${field}.local`, 'must set at least one of http, tcp')
  const check = (at: string, rate: Rate | undefined, disabled: boolean | undefined): void => {
    if (!rate && disabled === undefined) errors.required(`${field}.local.${at}`, 'how many, and in which time')
    if (!rate) return
    if (rate.num === undefined) errors.required(`${field}.local.${at}.num`)
    if (rate.interval === undefined) errors.required(`${field}.local.${at}.interval`)
  }
  if (local.http) check('http.requestRate', local.http.requestRate, local.http.disabled)
  if (local.tcp) check('tcp.connectionRate', local.tcp.connectionRate, local.tcp.disabled)
}

interface Rate {
  num?: number
  interval?: string
}

function checkFaults(errors: FieldErrors, field: string, conf: KumaConf): void {
  const faults = conf['http'] as { abort?: KumaConf; delay?: KumaConf; responseBandwidth?: KumaConf }[]
  faults.forEach((fault, i) => {
    const at = `${field}.http[${i}]`
    if (!fault.abort && !fault.delay && !fault.responseBandwidth)
      errors.required(at, 'must set at least one of abort, delay, responseBandwidth')
    for (const name of ['abort', 'delay', 'responseBandwidth'] as const) {
      if (fault[name] && fault[name]['percentage'] === undefined) errors.required(`${at}.${name}.percentage`)
    }
    if (fault.delay && fault.delay['value'] === undefined) errors.required(`${at}.delay.value`)
    const delay = fault.delay?.['value']
    if (typeof delay === 'string' && parseKumaDuration(delay) === undefined) {
      errors.invalid(`${at}.delay.value`, delay, 'must be a duration such as 500ms, 5s or 1h30m')
    }
  })
}

function checkTrace(errors: FieldErrors, field: string, conf: KumaConf): void {
  checkTypedBackends(errors, field, conf)
  const backends = (conf['backends'] ?? []) as unknown[]
  if (backends.length > 1) errors.tooMany(`${field}.backends`, backends.length, 1)
  ;((conf['tags'] ?? []) as { literal?: string; header?: object }[]).forEach((tag, i) => {
    if ((tag.literal === undefined) === (tag.header === undefined))
      errors.required(`${field}.tags[${i}]`, 'must set exactly one of literal, header')
  })
}

const PATCHED = ['cluster', 'listener', 'networkFilter', 'httpFilter', 'virtualHost']

function checkModifications(errors: FieldErrors, field: string, conf: KumaConf): void {
  ;(conf['appendModifications'] as KumaConf[]).forEach((modification, i) => {
    const at = `${field}.appendModifications[${i}]`
    const parts = PATCHED.filter((name) => modification[name] !== undefined)
    if (parts.length !== 1) return errors.required(at, `must set exactly one of ${PATCHED.join(', ')}`)
    const part = modification[parts[0]!] as KumaConf
    if (typeof part !== 'object' || part === null) return errors.invalid(`${at}.${parts[0]}`, part, 'must be an object')
    if (typeof part['operation'] !== 'string') errors.required(`${at}.${parts[0]}.operation`, 'such as Add, Patch or Remove')
    if (part['operation'] === 'Patch' && (part['value'] === undefined) === (part['jsonPatches'] === undefined)) {
      errors.required(`${at}.${parts[0]}.value`, 'must set exactly one of value, jsonPatches')
    }
    return undefined
  })
}
