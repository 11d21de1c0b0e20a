import { nodes } from '../../api/core/v1/node.ts'
import { pods } from '../../api/core/v1/pod.ts'
import type { Client } from '../../client/client.ts'

/** Whose an address is, and where that is. */
export interface AddressOwner {
  /** `pod shop/web` or `node n1`. */
  readonly label: string
  readonly node: string
}

/** Reads all pods and nodes once. Pods of the host's network have the address of their node, which counts. */
export async function loadOwners(client: Client): Promise<ReadonlyMap<string, AddressOwner>> {
  const owners = new Map<string, AddressOwner>()
  for (const { metadata, spec, status } of (await client.of(pods).listAll()).items) {
    if (spec?.hostNetwork || !spec?.nodeName || status?.phase === 'Succeeded' || status?.phase === 'Failed') continue
    for (const { ip } of status?.podIPs ?? []) owners.set(ip, { label: `pod ${metadata.namespace}/${metadata.name}`, node: spec.nodeName })
  }
  for (const { metadata, status } of (await client.of(nodes).listAll()).items) {
    for (const { address } of status?.addresses ?? []) owners.set(address, { label: `node ${metadata.name}`, node: metadata.name })
  }
  return owners
}
