import { readFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { dataLayout } from '../compose/layout.ts'
import { parseKubeconfig } from '../../client/kubeconfig.ts'
import { kubeconfigPaths } from '../../client/server-access.ts'
import type { CliContext } from '../context.ts'
import { defaultDataDir } from '../data-dir.ts'
import type { UpDirectory } from '../up/up-directory.ts'
import type { ClusterEntry } from './edit-kubeconfig.ts'
import { mergeEntry } from './kubeconfig-file.ts'

export interface MergedAccess {
  /** What was done, in words. */
  readonly told: string
  /** What kubectl and biplane need to reach the cluster; nothing where they find it by themselves. */
  readonly flags: readonly string[]
}

/** Merges the administrator of a data directory's cluster into the user's kubeconfig. */
export async function mergeIntoKubeconfig(
  context: CliContext,
  directory: UpDirectory,
  options: { readonly explicit: string | undefined; readonly switchTo: boolean },
): Promise<MergedAccess> {
  const explicit = options.explicit === undefined ? {} : { explicit: resolve(context.cwd, options.explicit) }
  const [path = ''] = kubeconfigPaths({ ...explicit, env: context.env['KUBECONFIG'], home: context.home })
  const { dataDir } = directory
  const entry = adminEntry(dataDir, entryName(dataDir, defaultDataDir(context)))
  const absolute = resolve(context.cwd, path)
  const merged = await mergeEntry(absolute, entry, { clock: context.clock, switchTo: options.switchTo, mine: directory.kubeconfigEntry })
  directory.kubeconfigEntry = merged.record
  const backup = merged.backup === undefined ? '' : ` (as it was: ${merged.backup})`
  const flags = [
    ...(options.explicit === undefined ? [] : ['--kubeconfig', absolute]),
    ...(merged.isCurrent ? [] : ['--context', merged.record.name]),
  ]
  return { told: `kubeconfig: ${merged.changes.join(', ')} in ${absolute}${backup}`, flags }
}

/** `biplane`, or `biplane-<name of the data directory>` where it is not the default one. */
export function entryName(dataDir: string, defaultDir: string): string {
  return dataDir === defaultDir ? 'biplane' : `biplane-${basename(dataDir).replaceAll(/[^\w.-]/g, '-') || 'root'}`
}

function adminEntry(dataDir: string, name: string): ClusterEntry {
  const path = dataLayout(dataDir).adminKubeconfig
  const config = parseKubeconfig(readFileSync(path, 'utf8'), path)
  const context = config.contexts.get(config.currentContext ?? '')
  const cluster = config.clusters.get(context?.cluster ?? '')
  const user = config.users.get(context?.user ?? '')
  return {
    name,
    server: cluster?.server ?? '',
    certificateAuthorityData: cluster?.certificateAuthorityData ?? '',
    clientCertificateData: user?.clientCertificateData ?? '',
    clientKeyData: user?.clientKeyData ?? '',
  }
}
