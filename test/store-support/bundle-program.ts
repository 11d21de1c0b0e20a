import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** Bundles program.ts so that plain Node can run it; below node_modules, where it finds lmdb. */
export async function bundleProgram(): Promise<{ readonly file: string; remove(): void }> {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const folder = join(root, 'node_modules/.cache/biplane', `store-program-${process.pid}`)
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'program.mjs')
  await build({
    absWorkingDir: root,
    entryPoints: ['test/store-support/program.ts'],
    outfile: file,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    logLevel: 'warning',
  })
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
