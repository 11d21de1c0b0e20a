import type { Resource, ResourceType } from '../../../policy/traffic/model/index.ts'

type Shape = (value: unknown, path: string) => string | undefined

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

const text: Shape = (value, path) => (typeof value === 'string' ? undefined : `${path} should be a string`)
const number: Shape = (value, path) => (typeof value === 'number' && Number.isFinite(value) ? undefined : `${path} should be a number`)
const port: Shape = (value, path) =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535 ? undefined : `${path} should be a port from 0 to 65535`

/** A whole number; bounds are those beyond which a proxy would be busy with nothing else, or out of memory. */
const within =
  (least: number, most: number): Shape =>
  (value, path) =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= most
      ? undefined
      : `${path} should be a whole number from ${least} to ${most}`

const oneOf =
  (...values: readonly string[]): Shape =>
  (value, path) =>
    values.includes(value as string) ? undefined : `${path} should be one of ${values.join(', ')}`

const optional =
  (shape: Shape): Shape =>
  (value, path) =>
    value === undefined ? undefined : shape(value, path)

const list =
  (shape: Shape, least = 0): Shape =>
  (value, path) => {
    if (!Array.isArray(value)) return `${path} should be a list`
    if (value.length < least) return `${path} should have at least ${least} entries`
    for (const [index, entry] of value.entries()) {
      const wrong = shape(entry, `${path}[${index}]`)
      if (wrong !== undefined) return wrong
    }
    return undefined
  }

const object =
  (fields: Readonly<Record<string, Shape>>): Shape =>
  (value, path) => {
    if (!isObject(value)) return `${path} should be an object`
    for (const [name, shape] of Object.entries(fields)) {
      const wrong = shape(value[name], path === '' ? name : `${path}.${name}`)
      if (wrong !== undefined) return wrong
    }
    return undefined
  }

/** Shapes by the value of `type` or `mode`; a value that is not listed is refused. */
const tagged =
  (tag: string, cases: Readonly<Record<string, Shape>>): Shape =>
  (value, path) => {
    if (!isObject(value)) return `${path} should be an object`
    const shape = Object.hasOwn(cases, value[tag] as string) ? cases[value[tag] as string] : undefined
    return shape ? shape(value, path) : `${path}.${tag} should be one of ${Object.keys(cases).join(', ')}`
  }

const any: Shape = () => undefined
/** Longer than timers can be. */
const MAX_MS = 2 ** 31 - 1
/** Shares are put in relation to each other. */
const weight: Shape = (value, path) => number(value, path) ?? ((value as number) < 0 ? `${path} should not be negative` : undefined)
const address = object({ address: text, port })
const cluster = object({ cluster: text, weight })
const stringList = list(text)
const filter = tagged('type', {
  rbac: object({
    name: text,
    rbac: object({ deny: list(any), shadowDeny: list(any), allow: list(any), otherwise: oneOf('allow', 'deny') }),
  }),
  jwt: object({ name: text, providers: list(object({ name: text, issuer: text })) }),
  extAuthz: object({ name: text, cluster: text, protocol: oneOf('grpc', 'http') }),
  rateLimit: object({ name: text }),
  fault: object({ name: text, faults: list(any) }),
  grpcJson: object({ name: text, descriptors: text, services: stringList }),
  cors: object({ name: text }),
})

const SHAPES: Readonly<Record<ResourceType, Shape>> = {
  proxy: object({
    name: text,
    trust: object({}),
    metrics: object({}),
    passthrough: oneOf('all', 'none', 'matched'),
    identity: optional(text),
  }),
  listener: object({
    name: text,
    direction: oneOf('inbound', 'outbound', 'gateway'),
    address,
    protocol: oneOf('http', 'http2', 'grpc', 'tcp', 'tls', 'auto'),
    chains: list(
      object({
        name: text,
        match: object({ serverNames: optional(stringList), transport: optional(stringList) }),
        tls: optional(
          tagged('mode', {
            mesh: any,
            passthrough: any,
            terminate: object({ certificates: list(text, 1), alpn: stringList, clientCa: optional(text) }),
          }),
        ),
        http: optional(object({ statPrefix: text, routes: text, filters: list(filter), timeouts: object({}), accessLogs: list(any) })),
        tcp: optional(object({ statPrefix: text, clusters: list(object({ name: text, weight })), accessLogs: list(any) })),
      }),
    ),
  }),
  route: object({
    name: text,
    virtualHosts: list(
      object({
        name: text,
        domains: stringList,
        routes: list(
          object({
            name: text,
            match: object({}),
            filters: optional(list(filter)),
            action: tagged('type', {
              forward: object({ clusters: list(cluster, 1), mirrors: optional(list(object({ cluster: text, percentage: number }))) }),
              redirect: object({ status: number }),
              direct: object({ status: number }),
            }),
          }),
        ),
      }),
    ),
  }),
  cluster: object({
    name: text,
    discovery: tagged('type', {
      eds: object({ name: text }),
      dns: object({ hosts: list(object({ host: text, port })) }),
      static: object({ addresses: list(address) }),
      originalDestination: any,
    }),
    protocol: oneOf('http', 'http2', 'mirror', 'tcp'),
    tls: optional(
      tagged('mode', {
        mesh: object({ identities: stringList }),
        tls: object({ verify: oneOf('full', 'ca', 'none'), ca: optional(text), certificate: optional(text) }),
      }),
    ),
    loadBalancer: tagged('type', {
      roundRobin: any,
      leastRequest: object({ choices: number }),
      random: any,
      // Envoy's bounds
      ringHash: object({ minSize: within(1, 8_388_608), maxSize: within(1, 8_388_608) }),
      maglev: object({ tableSize: within(2, 5_000_011) }),
    }),
    limits: object({}),
    outlierDetection: optional(object({ intervalMs: within(1, MAX_MS), baseEjectionMs: within(0, MAX_MS) })),
    healthChecks: list(object({ intervalMs: within(1, MAX_MS), timeoutMs: within(1, MAX_MS), type: oneOf('http', 'tcp', 'grpc') })),
  }),
  endpoints: object({
    name: text,
    endpoints: list(
      object({
        address,
        weight: optional(weight),
        priority: optional(within(0, 128)),
        state: oneOf('ready', 'draining', 'unhealthy'),
        identity: optional(text),
      }),
    ),
  }),
  secret: object({ name: text, certificate: optional(text), privateKey: optional(text), ca: optional(text) }),
}

/** Why a value is no resource of a type: the first thing that is wrong, with its path. Undefined: it is one. */
export function checkResource(type: ResourceType, value: unknown): string | undefined {
  return SHAPES[type](value, '')
}

/** Bytes of a resource to its value. @throws Error with what is wrong, and where */
export function readResource(type: ResourceType, name: string, bytes: Buffer): Resource {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString())
  } catch {
    throw new Error(`is no JSON (${bytes.length} bytes)`)
  }
  const wrong = checkResource(type, value)
  if (wrong !== undefined) throw new Error(wrong)
  const resource = value as Resource
  if (resource.name !== name) throw new Error(`says that its name is ${JSON.stringify(resource.name)}`)
  return resource
}
