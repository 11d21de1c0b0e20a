// Bundles the command line into dist/. Exits 0 without doing anything where dev dependencies are absent (npm ci --omit=dev).
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const output = join(root, 'dist/biplane.js')

const newest = (dir) =>
  readdirSync(dir, { withFileTypes: true }).reduce((latest, entry) => {
    const path = join(dir, entry.name)
    return Math.max(latest, entry.isDirectory() ? newest(path) : statSync(path).mtimeMs)
  }, 0)

if (process.argv.includes('--if-stale') && existsSync(output) && statSync(output).mtimeMs > newest(join(root, 'src'))) process.exit(0)

const esbuild = await import('esbuild').catch(() => undefined)
if (!esbuild) process.exit(0)

mkdirSync(join(root, 'dist'), { recursive: true })
await esbuild.build({
  absWorkingDir: root,
  entryPoints: { biplane: 'src/cli/main.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  sourcemap: 'linked',
  logLevel: 'warning',
})
