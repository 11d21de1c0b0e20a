import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { REPOSITORY } from './program.ts'

/** Public manifests that lie beside the repository, unmodified. */
export const MANIFESTS: string = join(REPOSITORY, '../shared/manifests')

export interface Requirements {
  /** Path of kubectl 1.35; empty when it cannot be had. */
  readonly kubectl: string
  /** Why tests that need it all must be skipped; empty: they can run. */
  readonly missing: string
  /** For the name of such tests: ` (skipped: ...)`, or nothing. */
  readonly suffix: string
}

/** What tests with a cluster need. @param options root, manifests: whether they are needed too */
export async function requirements(options: { readonly root?: boolean; readonly manifests?: boolean } = {}): Promise<Requirements> {
  const missing: string[] = []
  if (process.platform !== 'linux') missing.push('needs Linux')
  if (options.root && process.getuid?.() !== 0) missing.push('needs root')
  if (options.manifests && !existsSync(MANIFESTS)) missing.push('needs the manifests in ../shared')
  const kubectl = missing.length === 0 ? await findKubectl() : ''
  if (missing.length === 0 && kubectl === '') missing.push('needs kubectl 1.35')
  const text = missing.join(', ')
  return { kubectl, missing: text, suffix: text === '' ? '' : ` (skipped: ${text})` }
}

async function findKubectl(): Promise<string> {
  const module = (await import(join(REPOSITORY, 'scripts/test-clients.mjs'))) as {
    testClients: (versions: readonly string[]) => { readonly kubectl: Readonly<Record<string, string>> }
  }
  return module.testClients(['1.35']).kubectl['1.35'] ?? ''
}
