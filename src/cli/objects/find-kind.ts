import type { KindDefinition } from '../../api/kind.ts'
import type { Discovery } from '../../client/discovery.ts'
import { CliError } from '../errors/cli-error.ts'
import { didYouMean } from '../errors/did-you-mean.ts'

/** The kind a user typed. @throws {CliError} with the nearest names when the server has none */
export async function findKind(discovery: Discovery, text: string): Promise<KindDefinition> {
  const kind = await discovery.byResource(text)
  if (kind) return kind
  const known = (await discovery.kinds()).flatMap((one) => [one.plural, one.singular ?? one.kind.toLowerCase(), ...(one.shortNames ?? [])])
  throw new CliError(`the server has no kind "${text}"`, { fix: didYouMean(text, known) ?? 'see what it has with: kubectl api-resources' })
}

/** The kinds behind a word: one, or for a category such as `all` several. @throws {CliError} as findKind */
export async function findKinds(discovery: Discovery, text: string): Promise<readonly KindDefinition[]> {
  const category = (await discovery.kinds()).filter((kind) => kind.categories?.includes(text))
  return category.length > 0 ? category : [await findKind(discovery, text)]
}

/** The kind of an object in a manifest. @throws {CliError} with the nearest kinds when the server has none */
export async function kindOfObject(
  discovery: Discovery,
  type: { readonly apiVersion: string; readonly kind: string },
  where: string,
): Promise<KindDefinition> {
  const kind = await discovery.byKind(type)
  if (kind) return kind
  const kinds = await discovery.kinds()
  const same = kinds.filter((one) => one.kind === type.kind)
  const versions = same.map((one) => (one.group === '' ? one.version : `${one.group}/${one.version}`))
  const fix =
    versions.length > 0
      ? `use apiVersion: ${versions.join(' or ')}`
      : didYouMean(
          type.kind,
          kinds.map((one) => one.kind),
        )
  throw new CliError(`the server has no kind "${type.kind}" in ${type.apiVersion}`, { where, fix })
}

/** `pod/web`, `deployment.apps/web`: how kubectl names an object in messages. */
export function displayName(kind: KindDefinition, name: string): string {
  const singular = kind.singular ?? kind.kind.toLowerCase()
  return kind.group === '' ? `${singular}/${name}` : `${singular}.${kind.group}/${name}`
}
