import { pods } from '../../api/core/v1/pod.ts'
import { services } from '../../api/core/v1/service.ts'
import type { Pod, Service } from '../../api/generated/types.ts'
import type { Client } from '../../client/client.ts'
import { CliError } from '../errors/cli-error.ts'
import type { AddressOwner } from './address-owners.ts'
import type { EndText } from './parse-end.ts'

/** An end of a connection that was found in the cluster. */
export interface ResolvedEnd {
  /** `pod shop/web`, `service shop/db`, or the address alone. */
  readonly label: string
  /** At most one per family, the preferred first. */
  readonly addresses: readonly string[]
  /** Where it is, when it is in one place. */
  readonly node?: string
  /** 0: none was given, and there is not just one. */
  readonly port: number
}

/** Finds what a user has written. @throws CliError; StatusError `NotFound` */
export async function resolveEnd(
  client: Client,
  end: EndText,
  {
    namespace,
    protocol,
    owners,
  }: { readonly namespace: string; readonly protocol: string; readonly owners: ReadonlyMap<string, AddressOwner> },
): Promise<ResolvedEnd> {
  if (end.kind === 'ip') {
    if (end.port !== undefined && !/^\d+$/.test(end.port))
      throw new CliError(`an address has no port "${end.port}"`, { fix: 'write a number' })
    const owner = owners.get(end.address)
    return {
      label: owner?.label ?? end.address,
      addresses: [end.address],
      ...(owner?.node ? { node: owner.node } : {}),
      port: Number(end.port ?? 0),
    }
  }
  const options = { namespace: end.namespace ?? namespace }
  if (end.kind === 'pod') return podEnd(await client.of(pods).get(end.name, options), end.port)
  return serviceEnd(await client.of(services).get(end.name, options), end.port, protocol)
}

function podEnd(pod: Pod, port: string | undefined): ResolvedEnd {
  const label = `pod ${pod.metadata.namespace}/${pod.metadata.name}`
  const addresses = (pod.status?.podIPs ?? []).map(({ ip }) => ip)
  if (addresses.length === 0)
    throw new CliError(`${label} has no address yet`, { fix: `see why with: biplane describe pod ${pod.metadata.name}` })
  const named = (pod.spec?.containers ?? [])
    .flatMap((container) => container.ports ?? [])
    .find(({ name }) => name !== undefined && name === port)
  const number = port === undefined ? 0 : /^\d+$/.test(port) ? Number(port) : named?.containerPort
  if (number === undefined) throw new CliError(`${label} has no port "${port}"`)
  return { label, addresses, ...(pod.spec?.nodeName ? { node: pod.spec.nodeName } : {}), port: number }
}

function serviceEnd(service: Service, port: string | undefined, protocol: string): ResolvedEnd {
  const { clusterIPs = [], ports = [], type } = service.spec ?? {}
  const label = `service ${service.metadata.namespace}/${service.metadata.name}`
  if (type === 'ExternalName') throw new CliError(`${label} is a name for ${service.spec?.externalName}: it has no address of its own`)
  if (clusterIPs.length === 0 || clusterIPs[0] === 'None')
    throw new CliError(`${label} is headless: it has no address of its own`, { fix: 'name one of its pods' })
  const ofProtocol = ports.filter((one) => (one.protocol ?? 'TCP') === protocol)
  const known = ports.map((one) => `${one.name ? `${one.name}=` : ''}${one.port}/${one.protocol ?? 'TCP'}`).join(', ')
  if (port === undefined && ofProtocol.length !== 1) throw new CliError(`which port of ${label}?`, { fix: `add :PORT; it has ${known}` })
  const number =
    port === undefined ? ofProtocol[0]?.port : /^\d+$/.test(port) ? Number(port) : ofProtocol.find(({ name }) => name === port)?.port
  if (number === undefined) throw new CliError(`${label} has no port "${port}" of ${protocol}`, { fix: `it has ${known}` })
  return { label, addresses: clusterIPs, port: number }
}
