import { fnv1a } from '../../api/meta/hash.ts'

export interface AddressPlan {
  /** Addresses of services. */
  readonly serviceCidr: string
  /** Addresses of pods; undefined leaves it to the node. */
  readonly podCidr: string | undefined
}

/**
 * Loopback ranges of the cluster in a data directory. Several clusters on one machine share its loopback addresses, so each
 * directory but the default one gets ranges made from its path: 127.97 to 127.126 for services, 127.65 to 127.94 for pods.
 * @param known range of services that the directory has already
 */
export function planAddresses(dataDir: string, options: { readonly isDefault: boolean; readonly known: string | undefined }): AddressPlan {
  const slot = fnv1a(dataDir) % 30
  const planned = options.isDefault ? '127.96.0.0/16' : `127.${97 + slot}.0.0/16`
  return { serviceCidr: options.known ?? planned, podCidr: options.isDefault ? undefined : `127.${65 + slot}.0.0/24` }
}
