// Builds dist/: the command line as one bundle with lazy chunks, and the library (`biplane/client` and so on) with its types.
// Usage: node scripts/build.mjs [--if-stale]   --if-stale: the command only, and only when src/ is newer
// Exits 0 without doing anything where dev dependencies are absent (npm ci --omit=dev).
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const output = join(root, 'dist/biplane.js')
const commandOnly = process.argv.includes('--if-stale')

const newest = (dir) =>
  readdirSync(dir, { withFileTypes: true }).reduce((latest, entry) => {
    const path = join(dir, entry.name)
    return Math.max(latest, entry.isDirectory() ? newest(path) : statSync(path).mtimeMs)
  }, 0)

if (commandOnly && existsSync(output) && statSync(output).mtimeMs > newest(join(root, 'src'))) process.exit(0)

const esbuild = await import('esbuild').catch(() => undefined)
if (!esbuild) process.exit(0)

mkdirSync(join(root, 'dist'), { recursive: true })
rmSync(join(root, 'dist/chunks'), { recursive: true, force: true })
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
if (!commandOnly) {
  rmSync(join(root, 'dist/lib'), { recursive: true, force: true })
  const compiled = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'], {
    cwd: root,
    stdio: 'inherit',
  })
  process.exitCode = compiled.status ?? 1
}
