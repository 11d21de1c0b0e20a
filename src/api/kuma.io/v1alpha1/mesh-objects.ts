import { isIP } from 'node:net'
import { defineKind, type Column, type KindDefinition } from '../../kind.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'
import { checkConf } from './conf-checks.ts'
import { gatewayDeprecations, meshDeprecations } from './deprecations.ts'
import type { KumaConf, KumaObject } from './kuma-object.ts'
import { checkVersions } from './policy-conf-checks.ts'

interface Options {
  readonly plural?: string
  readonly cluster?: boolean
  readonly columns?: readonly Column<KumaObject>[]
  readonly check?: (errors: FieldErrors, spec: any) => void
  readonly warnings?: (object: KumaObject) => readonly string[]
}

const define = (
  kind: string,
  { plural = `${kind.toLowerCase()}s`, cluster = false, columns = [], check, warnings }: Options,
): KindDefinition<KumaObject> =>
  defineKind<KumaObject>({
    group: 'kuma.io',
    version: 'v1alpha1',
    kind,
    plural,
    namespaced: !cluster,
    schema: `io.kuma.v1alpha1.${kind}`,
    status: true,
    columns,
    strategy: {
      validate: ({ spec }) =>
        collectErrors((errors) => {
          checkConf(errors, 'spec', spec ?? {})
          check?.(errors, spec ?? {})
        }),
      ...(warnings ? { warnings } : {}),
    },
  })

const column = (name: string, description: string, value: (spec: any) => string | number | undefined): Column<KumaObject> => ({
  name,
  type: 'string',
  description,
  value: ({ spec }) => String(value(spec ?? {}) ?? ''),
})
const ports = column('Ports', 'Ports of the service.', ({ ports: list = [] }) => list.map((one: any) => one.port).join(','))

/** The mesh, its identities, services and gateways. */
export const meshObjects: readonly KindDefinition<KumaObject>[] = [
  define('Mesh', {
    plural: 'meshes',
    cluster: true,
    columns: [column('mTLS', 'Authority of spec.mtls.', ({ mtls }) => mtls?.enabledBackend)],
    check: checkMesh,
    warnings: meshDeprecations,
  }),
  define('MeshIdentity', {
    plural: 'meshidentities',
    columns: [column('Provider', 'Who signs.', ({ provider }) => provider?.type)],
    check: checkIdentity,
  }),
  define('MeshTrust', {
    columns: [column('Trust domain', 'Whose identities are trusted.', ({ trustDomain }) => trustDomain)],
    check: checkTrust,
  }),
  define('MeshExternalService', {
    columns: [column('Port', 'What clients dial.', ({ match }) => match?.port)],
    check: checkExternalService,
  }),
  define('MeshService', { columns: [ports], check: checkService }),
  define('MeshMultiZoneService', { columns: [ports], check: checkPorts }),
  define('HostnameGenerator', {
    columns: [column('Template', 'Of the host names.', ({ template }) => template)],
    check: checkGenerator,
  }),
  define('MeshGateway', { cluster: true, check: checkGateway, warnings: () => gatewayDeprecations('MeshGateway') }),
  define('MeshGatewayInstance', { check: checkInstance, warnings: () => gatewayDeprecations('MeshGatewayInstance') }),
  define('Dataplane', {}),
]

function checkMesh(
  errors: FieldErrors,
  { mtls }: { mtls?: { enabledBackend?: string; backends?: { name: string; type: string; dpCert?: KumaConf }[] } },
): void {
  if (!mtls) return
  const names = (mtls.backends ?? []).map(({ name }) => name)
  names.forEach((name, i) => names.indexOf(name) !== i && errors.duplicate(`spec.mtls.backends[${i}].name`, name))
  if (mtls.enabledBackend && !names.includes(mtls.enabledBackend)) {
    errors.invalid(
      'spec.mtls.enabledBackend',
      mtls.enabledBackend,
      `must be the name of one of spec.mtls.backends${names.length > 0 ? `: ${names.join(', ')}` : ''}`,
    )
  }
  mtls.backends?.forEach(({ type }, i) => errors.oneOf(`spec.mtls.backends[${i}].type`, type, ['builtin', 'provided']))
}

function checkIdentity(
  errors: FieldErrors,
  {
    provider,
    spiffeID,
  }: { provider?: { type?: string; bundled?: any; spire?: object }; spiffeID?: { trustDomain?: string; path?: string } },
): void {
  if (provider?.type === 'Spire' && !provider.spire) errors.required('spec.provider.spire', 'type Spire needs it')
  const bundled = provider?.bundled
  if (bundled?.autogenerate?.enabled === false && !bundled.ca) errors.required('spec.provider.bundled.ca', 'a CA, or autogenerate.enabled')
  if (bundled?.ca && (!bundled.ca.certificate || !bundled.ca.privateKey))
    errors.required('spec.provider.bundled.ca', 'must have certificate and privateKey')
  if (spiffeID?.path !== undefined && !spiffeID.path.startsWith('/'))
    errors.invalid('spec.spiffeID.path', spiffeID.path, 'must begin with /')
}

function checkTrust(errors: FieldErrors, spec: { trustDomain?: string; caBundles?: { pem?: { value?: string } }[] }): void {
  if (spec.trustDomain !== undefined && !/^[a-z0-9._-]{1,255}$/.test(spec.trustDomain)) {
    errors.invalid('spec.trustDomain', spec.trustDomain, 'must be a trust domain: lower-case letters, digits, dots, dashes and underscores')
  }
  if (!spec.caBundles?.length) errors.required('spec.caBundles', 'at least one')
  spec.caBundles?.forEach(({ pem }, i) => {
    if (!pem?.value) errors.required(`spec.caBundles[${i}].pem.value`)
    else if (!/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.test(pem.value)) {
      errors.invalid(`spec.caBundles[${i}].pem.value`, `${pem.value.slice(0, 30)}...`, 'must be certificates in PEM')
    }
  })
}

function checkExternalService(
  errors: FieldErrors,
  spec: { endpoints?: { address?: string }[]; extension?: object; match?: object; tls?: any },
): void {
  if (!spec.endpoints?.length && !spec.extension) errors.required('spec.endpoints', 'at least one')
  if (spec.endpoints && spec.endpoints.length > 100) errors.tooMany('spec.endpoints', spec.endpoints.length, 100)
  spec.endpoints?.forEach(({ address }, i) => {
    if (address === undefined || isIP(address) !== 0) return
    if (!/^(?=.{1,253}$)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/i.test(address)) {
      errors.invalid(`spec.endpoints[${i}].address`, address, 'must be an IP address or a host name')
    }
  })
  if (spec.tls?.version) checkVersions(errors, 'spec.tls', { tlsVersion: spec.tls.version })
  const { clientCert, clientKey } = spec.tls?.verification ?? {}
  if ((clientCert === undefined) !== (clientKey === undefined))
    errors.required('spec.tls.verification', 'clientCert and clientKey go together')
}

function checkPorts(errors: FieldErrors, { ports: list }: { ports?: { port: number; name?: string }[] }): void {
  if (!list?.length) errors.required('spec.ports', 'at least one')
  list?.forEach(({ port }, i) => list.findIndex((one) => one.port === port) !== i && errors.duplicate(`spec.ports[${i}].port`, port))
}

function checkService(errors: FieldErrors, spec: { ports?: { port: number }[]; selector?: KumaConf }): void {
  const given = ['dataplaneLabels', 'dataplaneRef', 'dataplaneTags'].filter((name) => spec.selector?.[name] !== undefined)
  if (given.length > 1) errors.forbidden(`spec.selector.${given[1]}`, `may not be set together with ${given[0]}`)
  if (spec.ports?.length) checkPorts(errors, spec)
}

function checkGenerator(errors: FieldErrors, spec: { selector?: KumaConf; template?: string; extension?: object }): void {
  const given = ['meshService', 'meshExternalService', 'meshMultiZoneService'].filter((name) => spec.selector?.[name] !== undefined)
  if (given.length !== 1) errors.required('spec.selector', 'exactly one of meshService, meshExternalService, meshMultiZoneService')
  if (!spec.template && !spec.extension) errors.required('spec.template', 'such as {{ .DisplayName }}.{{ .Namespace }}.mesh')
  const unknown = spec.template?.replaceAll(TEMPLATE_PART, '')
  if (unknown?.includes('{{'))
    errors.invalid('spec.template', spec.template, 'may use .Name, .DisplayName, .Namespace, .Mesh, .Zone and label "name"')
}

/** What templates of host names may use. */
export const TEMPLATE_PART: RegExp = /\{\{\s*(?:\.(Name|DisplayName|Namespace|Mesh|Zone)|label\s+"([^"]{1,253})")\s*\}\}/g

function checkGateway(errors: FieldErrors, spec: { selectors?: object[]; conf?: { listeners?: any[] } }): void {
  if (!spec.selectors?.length) errors.required('spec.selectors', 'at least one')
  if (!spec.conf?.listeners?.length) errors.required('spec.conf.listeners', 'at least one')
  spec.conf?.listeners?.forEach((listener, i) => {
    const field = `spec.conf.listeners[${i}]`
    if (listener.port === undefined) errors.required(`${field}.port`)
    if (listener.protocol === undefined) errors.required(`${field}.protocol`)
    if (listener.protocol === 'HTTPS' && !listener.tls) errors.required(`${field}.tls`, 'protocol HTTPS needs it')
    if (listener.tls?.mode === 'TERMINATE' && !listener.tls.certificates?.length)
      errors.required(`${field}.tls.certificates`, 'mode TERMINATE needs one')
  })
}

function checkInstance(errors: FieldErrors, { replicas, tags }: { replicas?: number; tags?: KumaConf }): void {
  errors.nonNegative('spec.replicas', replicas)
  if (!tags?.['kuma.io/service']) errors.required('spec.tags', 'tag kuma.io/service, by which a MeshGateway selects it')
}
