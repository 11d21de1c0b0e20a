import { isIP } from 'node:net'
import type { HTTPIngressPath, IngressBackend, IngressRule, IngressSpec, IngressTLS } from '../generated/types.ts'
import { checkServiceName, checkSubdomainName } from '../meta/names.ts'
import type { FieldErrors } from './field-errors.ts'
import { checkPortName, checkPortNumber, checkWildcardSubdomain } from './names.ts'

const BAD_IN_PATH = ['//', '/./', '/../', '%2f', '%2F']
const BAD_AT_END = ['/..', '/.']

/** Source: k8s.io/kubernetes networking/validation.ValidateIngressSpec. */
export function checkIngress(errors: FieldErrors, spec: IngressSpec): void {
  if (!spec.rules?.length && !spec.defaultBackend) {
    errors.invalid('spec', spec.rules, 'either `defaultBackend` or `rules` must be specified')
  }
  if (spec.defaultBackend) checkBackend(errors, 'spec.defaultBackend', spec.defaultBackend)
  spec.rules?.forEach((rule, i) => checkRule(errors, `spec.rules[${i}]`, rule))
  spec.tls?.forEach((tls, i) => checkTls(errors, `spec.tls[${i}]`, tls))
  const name = spec.ingressClassName
  if (name !== undefined) errors.invalidEach('spec.ingressClassName', name, checkSubdomainName(name))
}

function checkRule(errors: FieldErrors, field: string, { host, http }: IngressRule): void {
  if (host) {
    if (isIP(host) !== 0) errors.invalid(`${field}.host`, host, 'must be a DNS name, not an IP address')
    else errors.invalidEach(`${field}.host`, host, checkHost(host))
  }
  if (!http) return
  if (!http.paths?.length) errors.required(`${field}.http.paths`)
  http.paths?.forEach((path, i) => checkPath(errors, `${field}.http.paths[${i}]`, path))
}

function checkPath(errors: FieldErrors, field: string, { path, pathType, backend }: HTTPIngressPath): void {
  if (!pathType) errors.required(`${field}.pathType`, 'pathType must be specified')
  if (pathType === 'ImplementationSpecific' ? path && !path.startsWith('/') : !path?.startsWith('/')) {
    errors.invalid(`${field}.path`, path ?? '', 'must be an absolute path')
  }
  if (path && (pathType === 'Exact' || pathType === 'Prefix')) {
    for (const bad of BAD_IN_PATH) if (path.includes(bad)) errors.invalid(`${field}.path`, path, `must not contain '${bad}'`)
    for (const bad of BAD_AT_END) if (path.endsWith(bad)) errors.invalid(`${field}.path`, path, `cannot end with '${bad}'`)
  }
  checkBackend(errors, `${field}.backend`, backend ?? {})
}

function checkBackend(errors: FieldErrors, field: string, { service, resource }: IngressBackend): void {
  if (service && resource) return errors.invalid(field, '', 'cannot set both resource and service backends')
  if (resource) {
    if (!resource.kind) errors.required(`${field}.resource.kind`)
    if (!resource.name) errors.required(`${field}.resource.name`)
    return
  }
  if (!service) return errors.invalid(field, '', 'resource or service backend is required')
  if (!service.name) errors.required(`${field}.service.name`)
  else errors.invalidEach(`${field}.service.name`, service.name, checkServiceName(service.name))
  const { name, number } = service.port ?? {}
  if (name && number) errors.invalid(field, '', 'cannot set both port name & port number')
  else if (name) errors.invalidEach(`${field}.service.port.name`, name, checkPortName(name))
  else if (number) errors.invalidEach(`${field}.service.port.number`, number, checkPortNumber(number))
  else errors.required(field, 'port name or number is required')
}

function checkTls(errors: FieldErrors, field: string, { hosts, secretName }: IngressTLS): void {
  hosts?.forEach((host, i) => errors.invalidEach(`${field}.hosts[${i}]`, host, checkHost(host)))
  if (secretName) errors.invalidEach(`${field}.secretName`, secretName, checkSubdomainName(secretName))
}

function checkHost(host: string): readonly string[] {
  return host.includes('*') ? checkWildcardSubdomain(host) : checkSubdomainName(host)
}
