import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { createClient } from '../client/create-client.ts'
import type { Client } from '../client/client.ts'
import { createDiscovery, type Discovery } from '../client/discovery.ts'
import { createHttpsTransport } from '../client/https-transport.ts'
import { accessOf, kubeconfigPaths, loadKubeconfig } from '../client/server-access.ts'
import type { CliContext } from './context.ts'
import type { ConnectOptions } from './program/options.ts'

/** A way to one cluster. */
export interface Session extends AsyncDisposable {
  readonly client: Client
  readonly discovery: Discovery
  /** Where names without namespace are looked up. */
  readonly namespace: string
  readonly server: string
}

/** The cluster that options, environment and kubeconfig name. Nothing is sent yet. @throws {KubeconfigError} */
export function connect(context: CliContext, options: ConnectOptions): Session {
  const { env, home, cwd, clock, random } = context
  const explicit = options.kubeconfig === undefined ? {} : { explicit: resolve(cwd, options.kubeconfig) }
  const paths = kubeconfigPaths({ ...explicit, env: env['KUBECONFIG'], home })
  const access = accessOf(loadKubeconfig(paths, readIfPresent), { readFile: readIfPresent, clock }, options.context)
  const transport = createHttpsTransport({ ...access, clock, random, userAgent: 'biplane' })
  return {
    client: createClient(transport),
    discovery: createDiscovery(transport),
    namespace: options.namespace ?? access.namespace,
    server: access.server,
    [Symbol.asyncDispose]: () => transport.close(),
  }
}

/** The text of a file, or undefined where there is none. */
export function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}
