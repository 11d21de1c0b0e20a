import type { ImageRecipe } from '../../../api/biplane.dev/v1alpha1/image-recipe.ts'

/**
 * The recipe for an image as written in the manifest: largest priority, then longest matching pattern, then first name.
 * `*` in a pattern matches any characters, also `/` and none; everything else stands for itself.
 */
export function matchRecipe(image: string, recipes: readonly ImageRecipe[]): ImageRecipe | undefined {
  let best: Match | undefined
  for (const recipe of recipes) {
    const length = longestMatch(image, recipe.spec.images)
    if (length === undefined) continue
    const match = { recipe, priority: recipe.spec.priority ?? 0, length }
    if (!best || precedes(match, best)) best = match
  }
  return best?.recipe
}

/** What a node matches against: the cluster's recipes and the built-in ones. */
export function recipesOf(cluster: readonly ImageRecipe[], builtin: readonly ImageRecipe[]): readonly ImageRecipe[] {
  return [...cluster, ...builtin]
}

interface Match {
  readonly recipe: ImageRecipe
  readonly priority: number
  readonly length: number
}

function precedes(a: Match, b: Match): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority
  if (a.length !== b.length) return a.length > b.length
  return a.recipe.metadata.name < b.recipe.metadata.name
}

function longestMatch(image: string, patterns: readonly string[]): number | undefined {
  let longest: number | undefined
  for (const pattern of patterns) {
    if (pattern.length > (longest ?? -1) && matchesGlob(image, pattern)) longest = pattern.length
  }
  return longest
}

/** Linear in the text for each part of the pattern: no pattern, however odd, can make it slow. */
function matchesGlob(text: string, pattern: string): boolean {
  const parts = pattern.split('*')
  const first = parts[0] as string
  if (parts.length === 1) return text === first
  const last = parts[parts.length - 1] as string
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false
  let at = first.length
  const end = text.length - last.length
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at)
    if (found === -1 || found + part.length > end) return false
    at = found + part.length
  }
  return true
}
