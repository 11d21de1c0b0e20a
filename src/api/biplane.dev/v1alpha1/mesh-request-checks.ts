import { parseKumaDuration } from '../../kuma.io/v1alpha1/kuma-duration.ts'
import type { FieldErrors } from '../../validation/field-errors.ts'
import { checkCidr } from '../../validation/ip.ts'
import type {
  MeshAuthorizationPeer,
  MeshAuthorizationRequest,
  MeshAuthorizationSpec,
  MeshBackendRef,
  MeshRequestAuthentication,
  MeshStringMatch,
  MeshTargetRef,
} from './mesh-request-policies.ts'

const MAX_PROVIDERS = 20
const MAX_RULES = 200
const MAX_BODY = 1_048_576
const WAYS = ['exact', 'prefix', 'suffix', 'contains', 'regex', 'present'] as const

/** Providers have unique names, one source of keys each, and keys that are public. */
export function checkAuthentication(errors: FieldErrors, spec: MeshRequestAuthentication['spec']): void {
  if (!spec) return errors.required('spec')
  checkTarget(errors, spec.targetRef)
  const { providers = [] } = spec as Partial<typeof spec>
  if (providers.length === 0) errors.required('spec.providers', 'at least one')
  if (providers.length > MAX_PROVIDERS) errors.tooMany('spec.providers', providers.length, MAX_PROVIDERS)
  providers.slice(0, MAX_PROVIDERS).forEach((provider, i) => {
    const field = `spec.providers[${i}]`
    if (providers.findIndex(({ name }) => name === provider.name) !== i) errors.duplicate(`${field}.name`, provider.name)
    if (!provider.issuer) errors.required(`${field}.issuer`)
    if ((provider.jwks === undefined) === (provider.remoteJwks === undefined))
      errors.required(`${field}.jwks`, 'must set exactly one of jwks, remoteJwks')
    if (provider.jwks !== undefined) checkKeys(errors, `${field}.jwks`, provider.jwks)
    const remote = provider.remoteJwks
    if (!remote) return
    if (!/^https?:\/\/[^/]+/.test(remote.uri)) errors.invalid(`${field}.remoteJwks.uri`, remote.uri, 'must be a URL of http or https')
    checkDuration(errors, `${field}.remoteJwks.timeout`, remote.timeout)
    checkDuration(errors, `${field}.remoteJwks.cacheDuration`, remote.cacheDuration)
    checkBackend(errors, `${field}.remoteJwks.backendRef`, remote.backendRef)
  })
}

/** Rules by action: a custom action has an authority, the others have none. */
export function checkAuthorization(errors: FieldErrors, spec: MeshAuthorizationSpec | undefined): void {
  if (!spec) return errors.required('spec')
  checkTarget(errors, spec.targetRef)
  if (spec.action === 'Custom' && !spec.custom) errors.required('spec.custom', 'action Custom needs an authority')
  if (spec.action !== 'Custom' && spec.custom) errors.forbidden('spec.custom', 'may only be set for action Custom')
  if (spec.action === 'Custom' && spec.dryRun) errors.forbidden('spec.dryRun', 'may not be set for action Custom: the authority decides')
  if (spec.action === 'Custom' && spec.rules)
    errors.forbidden('spec.rules', 'may not be set for action Custom: every request is shown to the authority')
  if (spec.custom) {
    checkBackend(errors, 'spec.custom.backendRef', spec.custom.backendRef)
    checkDuration(errors, 'spec.custom.timeout', spec.custom.timeout)
    const bytes = spec.custom.maxBodyBytes
    if (bytes !== undefined && (bytes < 0 || bytes > MAX_BODY))
      errors.invalid('spec.custom.maxBodyBytes', bytes, `must be between 0 and ${MAX_BODY}, inclusive`)
  }
  const { rules = [] } = spec
  if (rules.length > MAX_RULES) errors.tooMany('spec.rules', rules.length, MAX_RULES)
  rules.slice(0, MAX_RULES).forEach(({ from, to }, i) => {
    from?.forEach((peer, j) => checkPeer(errors, `spec.rules[${i}].from[${j}]`, peer))
    to?.forEach((request, j) => checkRequest(errors, `spec.rules[${i}].to[${j}]`, request))
  })
}

function checkTarget(errors: FieldErrors, ref: MeshTargetRef | undefined): void {
  if (!ref) return
  if (ref.name !== undefined && ref.labels !== undefined) errors.forbidden('spec.targetRef.labels', 'may not be set together with name')
  if (ref.kind === 'Gateway' && ref.name === undefined) errors.required('spec.targetRef.name', 'kind Gateway needs a name')
  if (ref.kind !== 'Mesh') return
  for (const name of ['name', 'labels', 'namespace', 'sectionName'] as const) {
    if (ref[name] !== undefined) errors.forbidden(`spec.targetRef.${name}`, 'may not be set for kind Mesh')
  }
}

function checkPeer(errors: FieldErrors, field: string, peer: MeshAuthorizationPeer): void {
  if (Object.keys(peer).length === 0) errors.required(field, 'an empty peer is everybody: leave from out instead')
  if (peer.spiffeID) checkMatch(errors, `${field}.spiffeID`, peer.spiffeID)
  peer.claims?.forEach((claim, i) => checkMatch(errors, `${field}.claims[${i}]`, claim))
  for (const name of ['sourceIPs', 'notSourceIPs'] as const)
    peer[name]?.forEach((cidr, i) => checkCidr(errors, `${field}.${name}[${i}]`, cidr))
  peer.serviceAccounts?.forEach((account, i) => {
    if (!/^(?:[a-z0-9-]+\/)?[a-z0-9.-]+$/.test(account))
      errors.invalid(`${field}.serviceAccounts[${i}]`, account, 'must be name or namespace/name')
  })
}

function checkRequest(errors: FieldErrors, field: string, request: MeshAuthorizationRequest): void {
  if (Object.keys(request).length === 0) errors.required(field, 'an empty request is everything: leave to out instead')
  for (const name of ['paths', 'notPaths', 'hosts', 'headers'] as const) {
    request[name]?.forEach((match, i) => checkMatch(errors, `${field}.${name}[${i}]`, match))
  }
  for (const name of ['methods', 'notMethods'] as const) {
    request[name]?.forEach((method, i) => {
      if (!/^[A-Z]{1,32}$/.test(method)) errors.invalid(`${field}.${name}[${i}]`, method, 'must be a method in upper case, such as GET')
    })
  }
  request.ports?.forEach((port, i) => {
    if (port < 1 || port > 65_535) errors.invalid(`${field}.ports[${i}]`, port, 'must be between 1 and 65535, inclusive')
  })
}

/** Regular expressions are judged where they are compiled, as those of all routes and policies are. */
function checkMatch(errors: FieldErrors, field: string, match: MeshStringMatch): void {
  const given = WAYS.filter((way) => match[way] !== undefined)
  if (given.length !== 1) errors.required(field, `must set exactly one of ${WAYS.join(', ')}`)
}

function checkKeys(errors: FieldErrors, field: string, jwks: string): void {
  let keys: unknown
  try {
    keys = (JSON.parse(jwks) as { keys?: unknown } | null)?.keys
  } catch {
    keys = undefined
  }
  if (!Array.isArray(keys) || keys.length === 0)
    return errors.invalid(field, jwks.slice(0, 40), 'must be a key set in JSON, with a list `keys` that is not empty')
  if (keys.some((key: Record<string, unknown> | null) => key?.['kty'] === 'oct' || key?.['d'] !== undefined)) {
    errors.invalid(field, '(hidden)', 'must hold public keys alone: it holds a secret')
  }
}

function checkBackend(errors: FieldErrors, field: string, ref: MeshBackendRef | undefined): void {
  if (!ref?.name) return errors.required(`${field}.name`)
  if (ref.port < 1 || ref.port > 65_535) errors.invalid(`${field}.port`, ref.port, 'must be between 1 and 65535, inclusive')
}

function checkDuration(errors: FieldErrors, field: string, value: string | undefined): void {
  if (value !== undefined && parseKumaDuration(value) === undefined)
    errors.invalid(field, value, 'must be a duration such as 500ms, 5s or 1h30m')
}
