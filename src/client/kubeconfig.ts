import { dirname, resolve } from 'node:path'
import { FAILSAFE_SCHEMA, load } from 'js-yaml'
import { messageOf } from '../base/errors.ts'

/** A `clusters` entry. Paths are absolute. Source: k8s.io/client-go/tools/clientcmd/api/v1. */
export interface KubeconfigCluster {
  readonly server?: string
  readonly tlsServerName?: string
  readonly insecureSkipTlsVerify?: boolean
  readonly certificateAuthority?: string
  /** Base64. */
  readonly certificateAuthorityData?: string
}

/** A `users` entry. Paths are absolute. */
export interface KubeconfigUser {
  readonly clientCertificate?: string
  /** Base64. */
  readonly clientCertificateData?: string
  readonly clientKey?: string
  readonly clientKeyData?: string
  readonly token?: string
  readonly tokenFile?: string
  readonly username?: string
  readonly password?: string
  /** `exec` or `auth-provider`: ways to log in that are not spoken. */
  readonly unsupported?: string
}

export interface KubeconfigContext {
  readonly cluster: string
  readonly user: string
  readonly namespace?: string
}

export interface Kubeconfig {
  readonly currentContext?: string
  readonly clusters: ReadonlyMap<string, KubeconfigCluster>
  readonly users: ReadonlyMap<string, KubeconfigUser>
  readonly contexts: ReadonlyMap<string, KubeconfigContext>
}

/** Error in a kubeconfig. Match on `code`. */
export class KubeconfigError extends Error {
  override readonly name = 'KubeconfigError'
  readonly code: 'NotFound' | 'Malformed' | 'UnknownContext' | 'Incomplete' | 'Unsupported'

  constructor(code: KubeconfigError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/**
 * Reads one kubeconfig file.
 * @param path where it lies (absolute): relative paths in it are meant from there
 * @throws {KubeconfigError} `Malformed`
 */
export function parseKubeconfig(text: string, path: string): Kubeconfig {
  const root = text.trim() === '' ? {} : parseYaml(text, path)
  const file = (value: string | undefined): string | undefined => (value === undefined ? undefined : resolve(dirname(path), value))
  const currentContext = textOf(root['current-context'])
  return {
    ...(currentContext === undefined ? {} : { currentContext }),
    clusters: named(root['clusters'], 'cluster', (entry) => readCluster(entry, file)),
    users: named(root['users'], 'user', (entry) => readUser(entry, file)),
    contexts: named(root['contexts'], 'context', (entry) => {
      const namespace = textOf(entry['namespace'])
      return { cluster: textOf(entry['cluster']) ?? '', user: textOf(entry['user']) ?? '', ...(namespace ? { namespace } : {}) }
    }),
  }
}

/** The first file that names something wins, as in kubectl. */
export function mergeKubeconfigs(configs: readonly Kubeconfig[]): Kubeconfig {
  const merge = <T>(maps: readonly ReadonlyMap<string, T>[]): ReadonlyMap<string, T> =>
    new Map(maps.toReversed().flatMap((map) => [...map.entries()]))
  const currentContext = configs.find((config) => config.currentContext)?.currentContext
  return {
    ...(currentContext === undefined ? {} : { currentContext }),
    clusters: merge(configs.map((config) => config.clusters)),
    users: merge(configs.map((config) => config.users)),
    contexts: merge(configs.map((config) => config.contexts)),
  }
}

type Entry = Readonly<Record<string, unknown>>
type ToFile = (value: string | undefined) => string | undefined

function parseYaml(text: string, path: string): Entry {
  let root: unknown
  try {
    // every scalar stays a string: a token of digits is not a number
    root = load(text, { schema: FAILSAFE_SCHEMA })
  } catch (error) {
    throw new KubeconfigError('Malformed', `${path}: not a kubeconfig: ${messageOf(error)}`, { cause: error })
  }
  if (!isEntry(root)) throw new KubeconfigError('Malformed', `${path}: not a kubeconfig: expected a mapping`)
  return root
}

function readCluster(entry: Entry, file: ToFile): KubeconfigCluster {
  return defined({
    server: textOf(entry['server']),
    tlsServerName: textOf(entry['tls-server-name']),
    insecureSkipTlsVerify: entry['insecure-skip-tls-verify'] === 'true' ? true : undefined,
    certificateAuthority: file(textOf(entry['certificate-authority'])),
    certificateAuthorityData: textOf(entry['certificate-authority-data']),
  })
}

function readUser(entry: Entry, file: ToFile): KubeconfigUser {
  return defined({
    clientCertificate: file(textOf(entry['client-certificate'])),
    clientCertificateData: textOf(entry['client-certificate-data']),
    clientKey: file(textOf(entry['client-key'])),
    clientKeyData: textOf(entry['client-key-data']),
    token: textOf(entry['token']),
    tokenFile: file(textOf(entry['tokenFile'])),
    username: textOf(entry['username']),
    password: textOf(entry['password']),
    unsupported: ['exec', 'auth-provider'].find((way) => isEntry(entry[way])),
  })
}

function named<T>(list: unknown, key: string, read: (entry: Entry) => T): ReadonlyMap<string, T> {
  const found = new Map<string, T>()
  if (!Array.isArray(list)) return found
  for (const item of list) {
    const name = isEntry(item) ? textOf(item['name']) : undefined
    // the first of two with one name counts
    if (name !== undefined && !found.has(name)) found.set(name, read(isEntry(item[key]) ? item[key] : {}))
  }
  return found
}

function isEntry(value: unknown): value is Entry {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A scalar; empty and null count as absent. */
function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value !== 'null' && value !== '~' ? value : undefined
}

function defined<T extends object>(value: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as { [K in keyof T]?: NonNullable<T[K]> }
}
