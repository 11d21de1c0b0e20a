import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { LabelSelector, Node } from '../../api/generated/types.ts'
import type { KubeObject } from '../../api/meta/object.ts'
import { labelSelectorMatcher } from '../../api/meta/selector.ts'
import { routers } from '../../api/routing.biplane.dev/v1alpha1/router.ts'
import { staticRoutes } from '../../api/routing.biplane.dev/v1alpha1/static-route.ts'
import { isReadyAt, programOf, superviseCompanion, type CompanionOptions } from './companion.ts'
import { dataLayout } from './layout.ts'
import { keepCaFile } from './node-dns.ts'
import { openSource, type PacketSourcesOptions, type Source } from './packet-sources.ts'
import { routerSocketPath } from './router-socket.ts'

export interface NodeRouterOptions extends PacketSourcesOptions, Pick<CompanionOptions, 'env' | 'stopAtEnd'> {
  /** The command that starts this program: executable and script. */
  readonly self: readonly string[]
  readonly dataDir: string
  /** Of the node. */
  readonly name: string
  readonly server: string
  /** PEM. */
  readonly caCertificate: string
  readonly nodes: Source<Node>
}

interface Selecting extends KubeObject {
  readonly spec: { readonly nodeSelector?: LabelSelector | undefined }
}

/**
 * Keeps a router process beside the agent from the moment that a Router or StaticRoute selects the node, and at once where an earlier agent had
 * started one. A router that nobody selects any more takes its routes back by itself and idles.
 */
export async function superviseRouter(options: NodeRouterOptions, signal: AbortSignal): Promise<void> {
  const { state } = dataLayout(options.dataDir).node(options.name)
  const recordFile = join(state, 'router.process.json')
  const following = new AbortController()
  const stop = (): void => following.abort()
  signal.addEventListener('abort', stop, { once: true })
  if (!existsSync(recordFile)) await whenSelected(options, following)
  stop()
  if (signal.aborted) return
  const { self, dataDir, name, server, caCertificate } = options
  const caFile = await keepCaFile(state, caCertificate)
  await superviseCompanion(
    {
      ...options,
      role: 'router',
      argv: [...self, 'router', `--data-dir=${dataDir}`, `--name=${name}`, `--server=${server}`, `--ca-file=${caFile}`],
      version: programOf(self),
      recordFile,
      logFile: join(state, 'router.log'),
      isReady: (pid) => isReadyAt(routerSocketPath(dataDir, name), pid),
    },
    signal,
  )
}

/** Follows Routers and StaticRoutes until one selects the node, or the controller is aborted. */
async function whenSelected(options: NodeRouterOptions, following: AbortController): Promise<void> {
  const { signal } = following
  const sources = [await openSource(routers, options), await openSource(staticRoutes, options)] as const
  const lists = [...sources, options.nodes].map((source) => source.list)
  const selected = new Promise<void>((resolve) => {
    const look = (): void => {
      const labels = options.nodes.list.list().find(({ metadata }) => metadata.name === options.name)?.metadata.labels
      if (signal.aborted || (labels && sources.some(({ list }) => list.list().some((object: Selecting) => selects(object, labels)))))
        resolve()
    }
    const stops = lists.map((list) => list.onChange(look))
    signal.addEventListener(
      'abort',
      () => {
        for (const end of stops) end()
        resolve()
      },
      { once: true },
    )
    look()
  }).then(() => following.abort())
  await Promise.all([selected, ...sources.map((source) => source.run(signal))])
}

const selects = ({ spec }: Selecting, labels: Readonly<Record<string, string>>): boolean =>
  !spec?.nodeSelector || labelSelectorMatcher(spec.nodeSelector)(labels)
