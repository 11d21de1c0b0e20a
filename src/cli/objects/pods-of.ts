import type { KindDefinition } from '../../api/kind.ts'
import { pods } from '../../api/core/v1/pod.ts'
import type { LabelSelector, Pod } from '../../api/generated/types.ts'
import type { KubeObject } from '../../api/meta/object.ts'
import { formatLabelSelector, formatLabels } from '../../api/meta/selector.ts'
import type { Session } from '../connect.ts'
import { CliError } from '../errors/cli-error.ts'

type WithSelector = KubeObject & { readonly spec?: { readonly selector?: LabelSelector | Record<string, string> } }

/** Kinds whose selector is a plain map of labels. */
const PLAIN = new Set(['Service', 'ReplicationController'])

/** The pods an object selects, running ones first, then the youngest. @throws {CliError} for kinds without selector */
export async function podsOf(session: Session, kind: KindDefinition, object: KubeObject): Promise<readonly Pod[]> {
  if (kind.kind === 'Pod') return [object as Pod]
  const selector = (object as WithSelector).spec?.selector
  if (selector === undefined) throw new CliError(`${kind.kind} ${object.metadata.name} does not select pods`)
  const text = PLAIN.has(kind.kind) ? formatLabels(selector as Record<string, string>) : formatLabelSelector(selector as LabelSelector)
  const { items } = await session.client.of(pods).listAll({ namespace: object.metadata.namespace, labelSelector: text })
  const rank = (pod: Pod): number => (pod.metadata.deletionTimestamp ? 2 : pod.status?.phase === 'Running' ? 0 : 1)
  const age = (pod: Pod): number => Date.parse(pod.metadata.creationTimestamp ?? '') || 0
  return items.sort((a, b) => rank(a) - rank(b) || age(b) - age(a))
}
