import type { ElementChange, SetElement } from '../../../forwarding/contract.ts'
import { POD_TABLE } from './compile-pod-nat.ts'
import type { HostPort } from './host-port.ts'

/** Ports of the node that come or go, as elements of the tables' maps: one transaction without a command. Pure. */
export function hostPortElements(op: 'add' | 'delete', ports: readonly HostPort[]): readonly ElementChange[] {
  return ([4, 6] as const).flatMap((family) => {
    const own = ports.filter((port) => port.family === family)
    const sets: Readonly<Record<string, readonly SetElement[]>> = {
      'host-ports': own.filter((port) => port.address).map((port) => ({ key: keyOf(port), data: targetOf(port) })),
      'any-host-ports': own.filter((port) => !port.address).map((port) => ({ key: keyOf(port), data: targetOf(port) })),
      hairpin: unique(own.map(({ pod, protocol, podPort }) => ({ key: fields(pod, pod, [protocol], [podPort >> 8, podPort & 255]) }))),
    }
    return Object.entries(sets)
      .filter(([, elements]) => elements.length > 0)
      .map(([set, elements]): ElementChange => ({ op, family: family === 4 ? 'ip' : 'ip6', table: POD_TABLE, set, elements }))
  })
}

const keyOf = ({ address, protocol, port }: HostPort): Uint8Array =>
  fields(...(address ? [address] : []), [protocol], [port >> 8, port & 255])

const targetOf = ({ pod, podPort }: HostPort): Uint8Array => fields(pod, [podPort >> 8, podPort & 255])

/** Each field is padded to whole words. */
function fields(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part, ...Array.from({ length: (4 - (part.length % 4)) % 4 }, () => 0)]))
}

function unique(elements: readonly SetElement[]): readonly SetElement[] {
  return [...new Map(elements.map((element) => [String(element.key), element])).values()]
}
