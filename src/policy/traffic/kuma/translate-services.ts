import { isIP } from 'node:net'
import { TEMPLATE_PART, type KumaObject } from '../../../api/kuma.io/v1alpha1/index.ts'
import { serviceKey, type Finding, type MeshServiceView, type ServicePortView } from '../input/index.ts'
import type { Cluster, Protocol, Secret, StringMatch, UpstreamTls } from '../model/index.ts'
import { originOf, type KumaInput } from './kuma-input.ts'

interface Port {
  port: number
  name?: string
  targetPort?: number | string
  appProtocol?: string
}

const PROTOCOLS: Readonly<Record<string, Protocol>> = { http: 'http', http2: 'http2', grpc: 'grpc', tls: 'tls', tcp: 'tcp' }
const protocolOf = (text: string | undefined): Protocol => PROTOCOLS[text ?? 'tcp'] ?? 'tcp'

/** Services that Kuma's objects make, and those of the cluster that they change, by `serviceKey`. */
export function translateServices(
  objects: readonly KumaObject[],
  input: KumaInput,
  secrets: Map<string, Secret>,
  findings: Finding[],
): ReadonlyMap<string, MeshServiceView> {
  const made = new Map<string, MeshServiceView>()
  const add = (service: MeshServiceView, object: KumaObject): void => {
    const key = serviceKey(service.namespace, service.name)
    if (made.has(key) || input.services.has(key)) {
      findings.push({
        origin: originOf(object),
        type: 'Conflicted',
        reason: 'NameInUse',
        message: `there is another service ${key}; this one is left out`,
      })
    } else made.set(key, service)
  }
  for (const object of objects) if (object.kind === 'MeshExternalService') add(externalService(object, input, secrets, findings), object)
  for (const object of objects) if (object.kind === 'MeshMultiZoneService') add(multiZoneService(object, input), object)
  for (const object of objects) if (object.kind === 'MeshService') overlayService(object, input, made, findings)
  nameServices(
    objects.filter(({ kind }) => kind === 'HostnameGenerator'),
    input,
    made,
  )
  return made
}

const common = ({ metadata, status }: KumaObject): Pick<MeshServiceView, 'namespace' | 'name' | 'labels' | 'vips'> => {
  const { vip, vips = [] } = (status ?? {}) as { vip?: { ip?: string }; vips?: { ip?: string }[] }
  const addresses = [vip, ...vips].flatMap((one) => (one?.ip === undefined ? [] : [one.ip]))
  return { namespace: metadata?.namespace ?? '', name: metadata?.name ?? '', labels: metadata?.labels ?? {}, vips: [...new Set(addresses)] }
}

interface ExternalSpec {
  match?: { port?: number; protocol?: string }
  endpoints?: { address: string; port: number }[]
  tls?: { enabled?: boolean; version?: { min?: string; max?: string }; verification?: Verification }
}
type Source = { inline?: string; inlineString?: string; secret?: string }
interface Verification {
  mode?: 'SkipSAN' | 'SkipCA' | 'SkipAll' | 'Secured'
  serverName?: string
  subjectAltNames?: { type?: 'Exact' | 'Prefix'; value: string }[]
  caCert?: Source
  clientCert?: Source
  clientKey?: Source
}

function externalService(object: KumaObject, input: KumaInput, secrets: Map<string, Secret>, findings: Finding[]): MeshServiceView {
  const spec = (object.spec ?? {}) as ExternalSpec
  const endpoints = spec.endpoints ?? []
  const isStatic = endpoints.every(({ address }) => isIP(address) !== 0)
  const discovery: Cluster['discovery'] = isStatic
    ? { type: 'static', addresses: endpoints.map(({ address, port }) => ({ address, port })) }
    : { type: 'dns', hosts: endpoints.map(({ address, port }) => ({ host: address, port })) }
  const port = spec.match?.port ?? endpoints[0]?.port ?? 0
  const tls = spec.tls?.enabled === true ? externalTls(object, spec, input, secrets, findings) : undefined
  return {
    kind: 'MeshExternalService',
    ...common(object),
    headless: false,
    hostnames: [],
    ports: [{ port, name: '', protocol: protocolOf(spec.match?.protocol), targetPort: endpoints[0]?.port ?? port, endpoints: [] }],
    external: { discovery, ...(tls ? { tls } : {}) },
  }
}

function externalTls(
  object: KumaObject,
  { tls, endpoints }: ExternalSpec,
  input: KumaInput,
  secrets: Map<string, Secret>,
  findings: Finding[],
): UpstreamTls {
  const verification = tls?.verification ?? {}
  const { namespace = '', name } = object.metadata
  const secretName = `MeshExternalService/${namespace}/${name}`
  const read = (field: string, source: Source | undefined): string | undefined => {
    if (!source) return undefined
    const text = source.inlineString ?? (source.inline === undefined ? undefined : Buffer.from(source.inline, 'base64').toString())
    const found = text ?? Object.values(input.secret?.(namespace, source.secret ?? '') ?? {})[0]
    if (found === undefined)
      findings.push({
        origin: originOf(object),
        type: 'Invalid',
        reason: 'SecretNotFound',
        message: `spec.tls.verification.${field}: there is no Secret ${source.secret}`,
      })
    return found
  }
  const ca = read('caCert', verification.caCert)
  const certificate = read('clientCert', verification.clientCert)
  const privateKey = read('clientKey', verification.clientKey)
  if (ca !== undefined || certificate !== undefined) {
    secrets.set(secretName, {
      name: secretName,
      ...(ca === undefined ? {} : { ca }),
      ...(certificate === undefined || privateKey === undefined ? {} : { certificate, privateKey }),
    })
  }
  const host = endpoints?.find(({ address }) => isIP(address) === 0)?.address
  const serverName = verification.serverName ?? host
  const mode = verification.mode ?? 'Secured'
  const names = verification.subjectAltNames?.map(({ type, value }): StringMatch =>
    type === 'Prefix' ? { prefix: value } : { exact: value },
  )
  const version = (text: string | undefined): 'TLS12' | 'TLS13' | undefined => (text === 'TLS12' || text === 'TLS13' ? text : undefined)
  const min = version(tls?.version?.min)
  const max = version(tls?.version?.max)
  return {
    mode: 'tls',
    verify: mode === 'SkipAll' || mode === 'SkipCA' ? 'none' : mode === 'SkipSAN' ? 'ca' : 'full',
    ...(serverName === undefined ? {} : { serverName }),
    ...(ca === undefined ? {} : { ca: secretName }),
    ...(names?.length && mode === 'Secured' ? { subjectAltNames: names } : {}),
    ...(certificate === undefined || privateKey === undefined ? {} : { certificate: secretName }),
    ...(min || max ? { versions: { ...(min ? { min } : {}), ...(max ? { max } : {}) } } : {}),
  }
}

// one zone: the endpoints of all services that it selects
function multiZoneService(object: KumaObject, input: KumaInput): MeshServiceView {
  const { ports = [], selector } = (object.spec ?? {}) as {
    ports?: Port[]
    selector?: { meshService?: { matchLabels?: Record<string, string> } }
  }
  const wanted = selector?.meshService?.matchLabels ?? {}
  const members = [...input.services.values()].filter((service) => hasLabels(service, wanted, input.zone))
  const view = ({ port, name = '', appProtocol }: Port): ServicePortView => {
    const found = members.flatMap((service) => service.ports.filter((one) => one.port === port))
    return {
      port,
      name: name || String(port),
      protocol: appProtocol === undefined ? (found[0]?.protocol ?? 'tcp') : protocolOf(appProtocol),
      targetPort: found[0]?.targetPort ?? port,
      endpoints: found.flatMap(({ endpoints }) => endpoints),
    }
  }
  return { kind: 'MeshMultiZoneService', ...common(object), headless: false, hostnames: [], ports: ports.map(view) }
}

/** A MeshService beside a Service of the same name says what its ports speak; alone it stands for proxies that no Service leads to. */
function overlayService(object: KumaObject, input: KumaInput, made: Map<string, MeshServiceView>, findings: Finding[]): void {
  const { ports = [] } = (object.spec ?? {}) as { ports?: Port[] }
  const { namespace = '', name } = object.metadata
  const key = serviceKey(namespace, name)
  const service = input.services.get(key)
  if (!service) {
    findings.push({
      origin: originOf(object),
      type: 'Invalid',
      reason: 'ServiceNotFound',
      message: `there is no Service ${key}; a MeshService is served where a Service of its name is`,
    })
    return
  }
  const view = (one: ServicePortView): ServicePortView => {
    const said = ports.find(({ port }) => port === one.port)
    return said?.appProtocol === undefined ? one : { ...one, protocol: protocolOf(said.appProtocol) }
  }
  made.set(key, { ...service, labels: { ...service.labels, ...object.metadata?.labels }, ports: service.ports.map(view) })
}

const SELECTED: Readonly<Record<string, MeshServiceView['kind']>> = {
  meshService: 'Service',
  meshExternalService: 'MeshExternalService',
  meshMultiZoneService: 'MeshMultiZoneService',
}

function nameServices(generators: readonly KumaObject[], input: KumaInput, made: Map<string, MeshServiceView>): void {
  for (const generator of generators) {
    const { selector = {}, template = '' } = (generator.spec ?? {}) as {
      selector?: Record<string, { matchLabels?: Record<string, string> }>
      template?: string
    }
    for (const [field, kind] of Object.entries(SELECTED)) {
      if (!selector[field]) continue
      for (const service of [...input.services.values(), ...made.values()]) {
        const key = serviceKey(service.namespace, service.name)
        const current = made.get(key) ?? service
        if (current.kind !== kind || (made.has(key) && input.services.get(key) === service)) continue
        if (!hasLabels(current, selector[field].matchLabels ?? {}, input.zone)) continue
        const host = hostname(template, current, input.zone)
        if (host !== undefined && !current.hostnames.includes(host)) made.set(key, { ...current, hostnames: [...current.hostnames, host] })
      }
    }
  }
}

/** A name by its template, lower-case; undefined where a label is missing or the text is no host name. */
export function hostname(
  template: string,
  { name, namespace, labels }: Pick<MeshServiceView, 'name' | 'namespace' | 'labels'>,
  zone = 'default',
): string | undefined {
  const values: Readonly<Record<string, string>> = {
    Name: name,
    DisplayName: labels['kuma.io/display-name'] ?? name,
    Namespace: namespace,
    Mesh: 'default',
    Zone: zone,
  }
  let isWhole = true
  const text = template.replaceAll(TEMPLATE_PART, (_, field: string | undefined, label: string | undefined) => {
    const value = field === undefined ? labels[label ?? ''] : values[field]
    isWhole &&= value !== undefined
    return value ?? ''
  })
  const host = text.toLowerCase()
  return isWhole && /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/.test(host) ? host : undefined
}

// labels that Kuma puts on its services are answered from what they stand for
function hasLabels(service: MeshServiceView, wanted: Readonly<Record<string, string>>, zone = 'default'): boolean {
  const made: Readonly<Record<string, string>> = {
    'kuma.io/display-name': service.name,
    'k8s.kuma.io/namespace': service.namespace,
    'k8s.kuma.io/service-name': service.name,
    'kuma.io/mesh': 'default',
    'kuma.io/zone': zone,
    'kuma.io/origin': 'zone',
    'kuma.io/env': 'kubernetes',
  }
  return Object.entries(wanted).every(([label, value]) => (service.labels[label] ?? made[label]) === value)
}
