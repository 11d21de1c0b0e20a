import { randomUUID } from 'node:crypto'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { EndpointSlice, Pod } from '../../api/generated/types.ts'
import { nodeLocalDnsSlices } from '../../data-plane/dns/index.ts'
import { formatResolvConf, nodeResolvConf, parseResolvConf, planResolvConf } from '../../data-plane/node/env/resolv-conf.ts'
import type { ChangingList } from '../../data-plane/service-proxy/index.ts'
import { readIfPresent } from '../connect.ts'
import { superviseCompanion } from './companion.ts'
import { dnsCompanion, type DnsCompanionOptions } from './dns-companion.ts'
import { dataLayout } from './layout.ts'

export interface NodeDnsOptions extends Omit<DnsCompanionOptions, 'caFile' | 'reverseRanges'> {
  /** Ranges of services; asked when the process is to start. */
  readonly reverseRanges: () => readonly string[]
  /** PEM. */
  readonly caCertificate: string
  /** The node's own resolvers. Default `/etc/resolv.conf`. */
  readonly resolvConf?: string
}

/** Cluster DNS as the agent of a node sees it. */
export interface NodeDns {
  /** Keeps the DNS process alive until the signal aborts; then it is left running, unless `stopAtEnd` says otherwise. */
  run(signal: AbortSignal): Promise<void>
  /** Text of a pod's /etc/resolv.conf: for `NodeAgentOptions.resolvConf`. */
  resolvConfOf(pod: Pod): string
  /** The slices that the node's service proxy should see: those of the API, and the one that leads the service kube-dns to this node's own server. */
  withLocalSlices(list: ChangingList<EndpointSlice>): ChangingList<EndpointSlice>
}

/** Puts together what a node with a pod network needs for names: a DNS process, resolver files of pods, and the way from the service kube-dns to it. */
export function createNodeDns(options: NodeDnsOptions): NodeDns {
  const { caCertificate, reverseRanges, ...rest } = options
  const { state } = dataLayout(options.dataDir).node(options.name)
  const addresses = options.listen.map(({ host }) => host)
  const slices = nodeLocalDnsSlices(options.name, addresses)
  const flags = [...(options.flags ?? []), ...(options.resolvConf === undefined ? [] : [`--resolv-conf=${options.resolvConf}`])]
  return {
    async run(signal) {
      const caFile = await keepCaFile(state, caCertificate)
      await superviseCompanion(dnsCompanion({ ...rest, reverseRanges: reverseRanges(), caFile, flags }), signal)
    },
    resolvConfOf(pod) {
      const host = parseResolvConf(nodeResolvConf(readIfPresent, options.resolvConf))
      return formatResolvConf(planResolvConf(pod, { nameservers: addresses, domain: options.domain }, host).conf)
    },
    withLocalSlices: (list) => ({ list: () => [...list.list(), ...slices], onChange: (fn) => list.onChange(fn) }),
  }
}

/** Writes the CA certificate where companions find it: they must be able to start while nobody can be asked for it. @returns its path */
export async function keepCaFile(stateDir: string, pem: string): Promise<string> {
  const path = join(stateDir, 'ca.crt')
  await mkdir(stateDir, { recursive: true, mode: 0o700 })
  // several companions start at once
  const draft = `${path}.${randomUUID()}`
  await writeFile(draft, pem, { mode: 0o600 })
  await rename(draft, path)
  return path
}
