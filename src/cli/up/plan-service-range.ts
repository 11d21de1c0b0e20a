import { fnv1a } from '../../api/meta/hash.ts'

/**
 * Loopback addresses of the services of the cluster in a data directory. Several clusters on one machine share its loopback
 * network, so each directory but the default one gets a range made from its path: 127.97.0.0/16 to 127.126.0.0/16.
 * @param known the range that the directory has already
 */
export function planServiceRange(dataDir: string, options: { readonly isDefault: boolean; readonly known: string | undefined }): string {
  const planned = options.isDefault ? '127.96.0.0/16' : `127.${97 + (fnv1a(dataDir) % 30)}.0.0/16`
  return options.known ?? planned
}
