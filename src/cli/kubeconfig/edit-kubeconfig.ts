import { isJsonObject as isObject, type JsonObject as Json } from '../../base/json.ts'

/** What is written into a kubeconfig for one cluster: cluster, user and context of one name. All data base64. */
export interface ClusterEntry {
  readonly name: string
  readonly server: string
  readonly certificateAuthorityData: string
  readonly clientCertificateData: string
  readonly clientKeyData: string
}

/** What was written, to be found again: kept in the data directory. */
export interface EntryRecord {
  /** Absolute path of the kubeconfig. */
  readonly path: string
  readonly name: string
  /** Tells the entry from another of the same name. */
  readonly certificateAuthorityData: string
  /** The current context before it was switched to this one; '' for none. */
  readonly previousContext?: string
}

export interface Edited {
  readonly config: Json
  readonly changes: readonly string[]
}

/**
 * The kubeconfig with the entry in it; everything else stays as it is. The current context is set where there is none.
 * @param options `switchTo` sets it even where there is one
 */
export function addEntry(config: Json, entry: ClusterEntry, options: { readonly switchTo: boolean }): Edited {
  const { name } = entry
  const known = hasEntry(config, name)
  const current = config['current-context']
  const noContext = typeof current !== 'string' || current === '' || !namesOf(config, 'contexts').includes(current)
  const isSwitched = (noContext || options.switchTo) && current !== name
  const edited: Json = {
    apiVersion: 'v1',
    kind: 'Config',
    preferences: {},
    ...config,
    clusters: put(config['clusters'], {
      name,
      cluster: { 'certificate-authority-data': entry.certificateAuthorityData, server: entry.server },
    }),
    users: put(config['users'], {
      name,
      user: { 'client-certificate-data': entry.clientCertificateData, 'client-key-data': entry.clientKeyData },
    }),
    contexts: put(config['contexts'], { name, context: { ...keptNamespace(config, name), cluster: name, user: name } }),
    'current-context': isSwitched ? name : (current ?? ''),
  }
  const changes = [`${known ? 'updated' : 'added'} context "${name}"`, ...(isSwitched ? [`it is the current context now`] : [])]
  return { config: edited, changes }
}

/** The kubeconfig without the entry, if it is the one that was recorded; undefined where there is nothing to take away. */
export function removeEntry(config: Json, record: EntryRecord): Edited | undefined {
  const { name } = record
  if (!isOwned(config, record)) return undefined
  const without = (key: string): Json => (Array.isArray(config[key]) ? { [key]: config[key].filter((item) => nameOf(item) !== name) } : {})
  const edited: Json = { ...config, ...without('clusters'), ...without('users'), ...without('contexts') }
  const changes = [`removed context "${name}"`]
  if (config['current-context'] === name) {
    const previous = record.previousContext ?? ''
    const back = namesOf(edited, 'contexts').includes(previous) ? previous : ''
    edited['current-context'] = back
    changes.push(back === '' ? 'no context is current now' : `the current context is "${back}" again`)
  }
  return { config: edited, changes }
}

/** The name the entry gets: `wanted`, or with a number behind it where somebody else has that name. */
export function freeName(config: Json, wanted: string, mine: EntryRecord | undefined): string {
  if (mine && isOwned(config, mine)) return mine.name
  for (let number = 1; ; number++) {
    const name = number === 1 ? wanted : `${wanted}-${number}`
    if (!hasEntry(config, name)) return name
  }
}

function isOwned(config: Json, { name, certificateAuthorityData }: EntryRecord): boolean {
  const cluster = listOf(config['clusters']).find((item) => nameOf(item) === name)?.['cluster']
  return isObject(cluster) && cluster['certificate-authority-data'] === certificateAuthorityData
}

function hasEntry(config: Json, name: string): boolean {
  return ['clusters', 'users', 'contexts'].some((key) => namesOf(config, key).includes(name))
}

/** A user may have set a default namespace in our context. */
function keptNamespace(config: Json, name: string): Json {
  const context = listOf(config['contexts']).find((item) => nameOf(item) === name)?.['context']
  return isObject(context) && typeof context['namespace'] === 'string' ? { namespace: context['namespace'] } : {}
}

function put(list: unknown, item: Json): readonly unknown[] {
  const items: readonly unknown[] = Array.isArray(list) ? list : []
  const index = items.findIndex((other) => nameOf(other) === item['name'])
  return index < 0 ? [...items, item] : items.with(index, item)
}

function namesOf(config: Json, key: string): readonly (string | undefined)[] {
  return listOf(config[key]).map(nameOf)
}

function listOf(list: unknown): readonly Json[] {
  return Array.isArray(list) ? list.filter(isObject) : []
}

function nameOf(item: unknown): string | undefined {
  return isObject(item) && typeof item['name'] === 'string' ? item['name'] : undefined
}
