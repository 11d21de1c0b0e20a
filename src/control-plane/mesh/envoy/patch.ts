import { applyJsonPatch } from '../../../api/meta/json-patch.ts'
import { StatusError } from '../../../base/errors.ts'
import type { ProxyPatch, ProxyPatchModification } from '../../../policy/traffic/model/index.ts'
import { originName } from '../../../policy/traffic/model/index.ts'
import { encode, fromProtoJson, XdsError } from '../../../protocols/xds/index.ts'
import { mergeMessage, snakeCasePointer } from './patch-value.ts'
import { HCM } from './http.ts'
import { byText, ENVOY_TYPE, type EnvoyType, type Json, type Note } from './resource.ts'

type Resources = Readonly<Record<EnvoyType, readonly { readonly name: string; readonly value: Json }[]>>
type Named = { readonly name: string; readonly value: Json }

/** Why a modification is refused: the resources stay as they were. */
class PatchError extends Error {
  override readonly name = 'PatchError'
}

/**
 * Resources with the modifications of MeshProxyPatch, one after the other. One that does not apply, names what does not exist in Envoy's API or makes a
 * message that cannot be written is noted and left out; the others go on.
 */
export function applyPatches(
  resources: Resources,
  patches: readonly ProxyPatch[],
  noteFor: (type: EnvoyType, name: string) => Note,
): Resources {
  let current = resources
  for (const { origin, modifications } of patches) {
    modifications.forEach((modification, index) => {
      try {
        current = modify(current, modification)
      } catch (error) {
        if (!(error instanceof PatchError || error instanceof XdsError || error instanceof StatusError)) throw error
        noteFor(
          typeOf(modification),
          modification.match?.name ?? '*',
        )(`${originName(origin)}: modification ${index} is left out: ${error.message}`)
      }
    })
  }
  return current
}

function typeOf({ target }: ProxyPatchModification): EnvoyType {
  if (target === 'cluster') return 'cluster'
  return target === 'virtualHost' ? 'route' : 'listener'
}

function modify(resources: Resources, modification: ProxyPatchModification): Resources {
  const type = typeOf(modification)
  const typeName = ENVOY_TYPE[type].slice('type.googleapis.com/'.length)
  const before = resources[type]
  const after = changed(before, typeName, modification)
  for (const { name, value } of after) if (!before.some((one) => one.name === name && one.value === value)) encode(typeName, value)
  return { ...resources, [type]: after }
}

function changed(list: readonly Named[], typeName: string, modification: ProxyPatchModification): readonly Named[] {
  switch (modification.target) {
    case 'cluster':
    case 'listener':
      return changedResources(list, typeName, modification)
    case 'virtualHost':
      return list.map(({ name, value }) => ({
        name,
        value: matchesOuter(name, modification.match?.routeConfigurationName)
          ? changedMembers(value, 'virtual_hosts', VIRTUAL_HOST, modification)
          : value,
      }))
    case 'networkFilter':
      return inChains(list, modification, (chain) => changedMembers(chain, 'filters', NETWORK_FILTER, modification))
    case 'httpFilter':
      return inChains(list, modification, (chain) => ({
        ...chain,
        filters: (chain['filters'] as readonly Json[]).map((filter) => {
          const config = filter['typed_config'] as Json | undefined
          if (config?.['@type'] !== `type.googleapis.com/${HCM}`) return filter
          return { ...filter, typed_config: changedMembers(config, 'http_filters', HTTP_FILTER, modification) }
        }),
      }))
  }
}

const VIRTUAL_HOST = 'envoy.config.route.v3.VirtualHost'
const NETWORK_FILTER = 'envoy.config.listener.v3.Filter'
const HTTP_FILTER = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter'

const matchesOuter = (name: string, wanted: string | undefined): boolean => wanted === undefined || wanted === name

/** Where a resource comes from in Kuma's words. */
function originOf(name: string): string {
  if (/^(virtual-inbound|mesh-inbound|inbound)/.test(name)) return 'inbound'
  return name.startsWith('telemetry|') ? 'telemetry' : 'outbound'
}

function changedResources(
  list: readonly Named[],
  typeName: string,
  { operation, match, value, jsonPatches }: ProxyPatchModification,
): readonly Named[] {
  if (operation === 'Add') {
    const added = message(typeName, value)
    const name = added['name']
    if (typeof name !== 'string' || name === '') throw new PatchError('what is added has no name')
    return [...list.filter((one) => one.name !== name), { name, value: added }].toSorted((a, b) => byText(a.name, b.name))
  }
  const hit = (one: Named): boolean => matchesOuter(one.name, match?.name) && matchesOuter(originOf(one.name), match?.origin)
  if (operation === 'Remove') return list.filter((one) => !hit(one))
  if (operation !== 'Patch') throw new PatchError(`${operation} is no operation of clusters and listeners: Add, Remove or Patch`)
  return list.map((one) => {
    if (!hit(one)) return one
    const patched = patch(typeName, one.value, value, jsonPatches)
    if (patched['name'] !== one.name) throw new PatchError('the name of a resource cannot be changed: others refer to it')
    return { name: one.name, value: patched }
  })
}

function inChains(list: readonly Named[], { match }: ProxyPatchModification, change: (chain: Json) => Json): readonly Named[] {
  return list.map(({ name, value }) => {
    if (!matchesOuter(name, match?.listenerName) || !matchesOuter(originOf(name), match?.origin)) return { name, value }
    return { name, value: { ...value, filter_chains: (value['filter_chains'] as readonly Json[]).map(change) } }
  })
}

/** Filters or virtual hosts of what is around them. */
function changedMembers(
  around: Json,
  member: string,
  typeName: string,
  { operation, match, value, jsonPatches }: ProxyPatchModification,
): Json {
  const list = (around[member] as readonly Json[] | undefined) ?? []
  const hit = (one: Json): boolean => match?.name === undefined || one['name'] === match.name
  const at = list.findIndex(hit)
  const insert = (index: number): Json => ({ ...around, [member]: list.toSpliced(index, 0, message(typeName, value)) })
  switch (operation) {
    case 'Add':
    case 'AddLast':
      // the router stays the last one
      return insert(member === 'http_filters' ? list.length - 1 : list.length)
    case 'AddFirst':
      return insert(0)
    case 'AddBefore':
      return at === -1 ? around : insert(at)
    case 'AddAfter':
      return at === -1 ? around : insert(at + 1)
    case 'Remove':
      return { ...around, [member]: list.filter((one) => !hit(one)) }
    case 'Patch':
      return { ...around, [member]: list.map((one) => (hit(one) ? patch(typeName, one, value, jsonPatches) : one)) }
  }
}

function message(typeName: string, value: unknown): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new PatchError('value is no object')
  return fromProtoJson(typeName, value) as Json
}

function patch(typeName: string, value: Json, merged: unknown, jsonPatches: ProxyPatchModification['jsonPatches']): Json {
  let out = value
  if (merged !== undefined) out = mergeMessage(out, message(typeName, merged)) as Json
  if (jsonPatches && jsonPatches.length > 0) {
    const document = JSON.parse(JSON.stringify(out)) as Json
    const operations = jsonPatches.map((operation) => ({
      ...operation,
      path: snakeCasePointer(document, operation.path),
      ...(operation.from === undefined ? {} : { from: snakeCasePointer(document, operation.from) }),
    }))
    out = fromProtoJson(typeName, applyJsonPatch(document, operations)) as Json
  }
  return out
}
