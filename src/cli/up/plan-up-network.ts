import type { NetworkMode } from '../compose/network-mode.ts'
import { CliError } from '../errors/cli-error.ts'
import type { AddressRanges } from './local-cluster.ts'
import { planServiceRange } from './plan-service-range.ts'

/** Of mode kernel, by family. */
const SERVICES = { 4: '10.96.0.0/16', 6: 'fd00:10:96::/112' }
const PODS = { 4: '10.244.0.0/16', 6: 'fd00:10:244::/48' }

/**
 * The ranges of services and pods of the cluster in a data directory. Pure.
 * @param options addresses: of the machine; asked: by the user; known: what the cluster has already
 * @throws CliError when its services have loopback addresses, which the kernel does not route
 */
export function planUpRanges(
  dataDir: string,
  options: {
    readonly mode: NetworkMode
    readonly addresses: readonly string[]
    readonly isDefault: boolean
    readonly asked: AddressRanges
    readonly known: AddressRanges
  },
): { readonly serviceCidr: string; readonly clusterCidr: string | undefined } {
  const { mode, addresses, isDefault, asked, known } = options
  if (mode === 'loopback') {
    return {
      serviceCidr: asked.serviceCidr ?? planServiceRange(dataDir, { isDefault, known: known.serviceCidr }),
      clusterCidr: asked.clusterCidr ?? known.clusterCidr,
    }
  }
  const ofFamilies = (ranges: Readonly<Record<4 | 6, string>>): string =>
    addresses.map((address) => ranges[address.includes(':') ? 6 : 4]).join(',')
  const serviceCidr = asked.serviceCidr ?? known.serviceCidr ?? ofFamilies(SERVICES)
  if (serviceCidr.startsWith('127.')) {
    throw new CliError(`services of the cluster in ${dataDir} have loopback addresses (${serviceCidr})`, {
      why: 'pods with a network of their own cannot reach those',
      fix: 'go on with --network loopback, or start a new cluster with another --data-dir',
    })
  }
  return { serviceCidr, clusterCidr: asked.clusterCidr ?? known.clusterCidr ?? ofFamilies(PODS) }
}
