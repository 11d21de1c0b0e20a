import type { StrictAnswer } from '../../../protocols/mesh-view.ts'
import type { Pod } from '../../../api/generated/types.ts'
import { strictReport } from '../../../policy/traffic/explain/index.ts'
import type { MeshWorld, ProxyView } from '../../../policy/traffic/input/index.ts'
import type { SeenCall } from '../control/index.ts'
import { silentNote } from './silent-note.ts'

/** Pods that are listed. */
const MAX_LISTED = 1_000

/**
 * Whether strict mode is safe now. Where nobody tells of calls: pods that have no proxy are whom it would cut off, if they call anybody.
 * @param seen connections that proxies have told of, and those that tell nothing; a text: why nobody tells
 */
export function strictAnswer(
  seen: { readonly calls: Iterable<SeenCall>; readonly silent: readonly string[] } | string,
  { world, proxies, pods }: { readonly world: MeshWorld; readonly proxies: Iterable<ProxyView>; readonly pods: Iterable<Pod> },
): StrictAnswer {
  const off = world.mesh.mtls ? '' : 'mutual TLS is off: nobody has an identity, and strict mode protects nothing'
  if (typeof seen === 'object') {
    const { calls, silent } = seen
    // TLS of the application's own is no mutual TLS of the mesh either
    const report = strictReport(
      [...calls].filter(({ transport }) => transport !== 'mesh'),
      world,
    )
    const notes = [...(off === '' ? [] : [off]), ...silentNote(silent)]
    return {
      ...report,
      safe: report.safe && silent.length === 0,
      basis: 'traffic',
      ...(notes.length > 0 ? { note: notes.join('; ') } : {}),
    }
  }
  const meshed = new Set([...proxies].map(({ namespace, pod }) => `${namespace}/${pod}`))
  const plain = [...pods]
    .filter(({ status }) => status?.phase === 'Running' || status?.phase === 'Pending')
    .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)
    .filter((name) => !meshed.has(name))
    .sort()
  const notes = [
    ...(off === '' ? [] : [off]),
    `${seen}: pods without a proxy are named, whether they call anybody or not; callers outside of pods are not known`,
    ...(plain.length > MAX_LISTED ? [`${plain.length - MAX_LISTED} more pods have none`] : []),
  ]
  return {
    safe: world.mesh.mtls && (plain.length === 0 || meshed.size === 0),
    basis: 'configuration',
    note: notes.join('; '),
    plaintext:
      meshed.size === 0 ? [] : plain.slice(0, MAX_LISTED).map((from) => ({ from, to: 'any workload of the mesh', count: 0, lastSeen: '' })),
  }
}
