import type { Manifest } from './read-manifests.ts'

/** Kinds that others need to be there before them. */
const FIRST = ['Namespace', 'CustomResourceDefinition', 'PriorityClass', 'ImageRecipe', 'ServiceAccount', 'ConfigMap', 'Secret', 'Service']

/** What others refer to comes first; otherwise the order of the files stays. */
export function orderManifests(manifests: readonly Manifest[]): readonly Manifest[] {
  const rank = ({ object }: Manifest): number => {
    const index = FIRST.indexOf(object.kind)
    return index < 0 ? FIRST.length : index
  }
  return manifests
    .map((manifest, index) => ({ manifest, index }))
    .sort((a, b) => rank(a.manifest) - rank(b.manifest) || a.index - b.index)
    .map(({ manifest }) => manifest)
}
