import { delimiter, join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { ServerAccess } from './https-transport.ts'
import { KubeconfigError, mergeKubeconfigs, parseKubeconfig, type Kubeconfig, type KubeconfigUser } from './kubeconfig.ts'

/** The world a kubeconfig is read from. */
export interface AccessSources {
  /** The text of a file, or undefined when there is none. */
  readonly readFile: (path: string) => string | undefined
  /** Times the renewal of token files. */
  readonly clock: Clock
}

/** What a kubeconfig context leads to. */
export interface ContextAccess extends ServerAccess {
  readonly context: string
  /** Default namespace of the context: `default` where it names none. */
  readonly namespace: string
}

/** A token file is read again after this time. */
const TOKEN_MAX_AGE_MS = 60_000

/** Where kubectl looks: an explicit file, else all of `$KUBECONFIG`, else `~/.kube/config`. */
export function kubeconfigPaths(options: {
  readonly explicit?: string
  readonly env?: string | undefined
  readonly home: string
}): readonly string[] {
  if (options.explicit) return [options.explicit]
  const listed = (options.env ?? '').split(delimiter).filter((path) => path !== '')
  return listed.length > 0 ? listed : [join(options.home, '.kube', 'config')]
}

/** Reads and merges the files that exist. @throws {KubeconfigError} `NotFound` when none does, `Malformed` */
export function loadKubeconfig(paths: readonly string[], readFile: AccessSources['readFile']): Kubeconfig {
  const configs = paths.flatMap((path) => {
    const text = readFile(path)
    return text === undefined ? [] : [parseKubeconfig(text, path)]
  })
  if (configs.length === 0) throw new KubeconfigError('NotFound', `no kubeconfig at ${paths.join(', ')}: start a cluster or set KUBECONFIG`)
  return mergeKubeconfigs(configs)
}

/**
 * What is needed to reach the cluster of a context.
 * @param context default: the current one
 * @throws {KubeconfigError} `UnknownContext`; `Incomplete` when an entry or file is missing; `Unsupported` login plugins
 */
export function accessOf(config: Kubeconfig, sources: AccessSources, context: string | undefined = config.currentContext): ContextAccess {
  const known = [...config.contexts.keys()].join(', ') || 'none'
  if (!context)
    throw new KubeconfigError(
      'UnknownContext',
      `the kubeconfig has no current context: start a cluster, or name a context (it has ${known})`,
    )
  const found = config.contexts.get(context)
  if (!found) {
    throw new KubeconfigError('UnknownContext', `no context "${context}" in the kubeconfig: it has ${known}`)
  }
  const cluster = config.clusters.get(found.cluster)
  if (!cluster?.server) throw new KubeconfigError('Incomplete', `context "${context}": cluster "${found.cluster}" has no server`)
  const user = config.users.get(found.user) ?? {}
  if (user.unsupported && !user.token && !user.clientCertificate && !user.clientCertificateData) {
    throw new KubeconfigError(
      'Unsupported',
      `user "${found.user}" logs in by ${user.unsupported}, which is not supported: use a token or certificate`,
    )
  }
  const ca = material(cluster.certificateAuthorityData, cluster.certificateAuthority, sources)
  return {
    context,
    namespace: found.namespace ?? 'default',
    server: cluster.server,
    ...(ca === undefined ? {} : { ca }),
    ...(cluster.tlsServerName === undefined ? {} : { tlsServerName: cluster.tlsServerName }),
    ...(cluster.insecureSkipTlsVerify ? { insecureSkipTlsVerify: true } : {}),
    ...credentials(user, sources),
  }
}

/** Where a pod finds its service account. Source: client-go rest.InClusterConfig. */
const SERVICE_ACCOUNT_DIR = '/var/run/secrets/kubernetes.io/serviceaccount'

/**
 * What a process inside a pod needs to reach its own cluster: the service account's token (renewed in place) and CA.
 * @param options.env the process's environment; `dir` where the service account is mounted
 * @returns undefined outside of a pod
 */
export function inClusterAccess(
  options: AccessSources & { readonly env: Readonly<Record<string, string | undefined>>; readonly dir?: string },
): (ServerAccess & { readonly namespace: string }) | undefined {
  const { env, readFile, dir = SERVICE_ACCOUNT_DIR } = options
  const host = env['KUBERNETES_SERVICE_HOST']
  const port = env['KUBERNETES_SERVICE_PORT']
  if (!host || !port || readFile(join(dir, 'token')) === undefined) return undefined
  const ca = readFile(join(dir, 'ca.crt'))
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    token: tokenFrom(join(dir, 'token'), options),
    namespace: readFile(join(dir, 'namespace'))?.trim() || 'default',
    ...(ca === undefined ? {} : { ca }),
  }
}

function credentials(user: KubeconfigUser, sources: AccessSources): Partial<ServerAccess> {
  const cert = material(user.clientCertificateData, user.clientCertificate, sources)
  const key = material(user.clientKeyData, user.clientKey, sources)
  // a file takes precedence over the token beside it. Source: client-go clientcmd
  const token = user.tokenFile === undefined ? user.token : tokenFrom(user.tokenFile, sources)
  return {
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(token === undefined ? {} : { token }),
    ...(user.username === undefined ? {} : { username: user.username, password: user.password ?? '' }),
  }
}

/** PEM from base64 data, else from a file. Data takes precedence. */
function material(data: string | undefined, path: string | undefined, sources: AccessSources): string | undefined {
  if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8')
  if (path === undefined) return undefined
  const text = sources.readFile(path)
  if (text === undefined) throw new KubeconfigError('Incomplete', `the kubeconfig names ${path}, which does not exist`)
  return text
}

/** The token in a file, read again each minute: such tokens are renewed in place. */
export function tokenFrom(path: string, { readFile, clock }: AccessSources): () => string {
  let token: string | undefined
  let readAtMs = 0
  return () => {
    if (token !== undefined && clock.monotonic() - readAtMs < TOKEN_MAX_AGE_MS) return token
    const text = readFile(path)
    if (text === undefined && token === undefined) throw new KubeconfigError('Incomplete', `token file ${path} does not exist`)
    token = text?.trim() ?? token ?? ''
    readAtMs = clock.monotonic()
    return token
  }
}
