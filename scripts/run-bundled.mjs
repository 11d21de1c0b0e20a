// Bundles a TypeScript program and runs it with plain Node: what scripts/bench.mjs and scripts/soak-store.mjs have in common.
import { spawn } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

export const root = fileURLToPath(new URL('..', import.meta.url))

/** Runs `source` (relative to the repository) with `args`; this process ends with the program's exit code. */
export async function runBundled(source, args) {
  const name = basename(source, '.ts')
  // below node_modules, so that the bundle resolves packages as the source does
  const folder = join(root, 'node_modules/.cache/biplane/run', `${name}-${process.pid}`)
  mkdirSync(folder, { recursive: true })
  const outfile = join(folder, `${name}.mjs`)
  await build({
    absWorkingDir: root,
    entryPoints: [source],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    sourcemap: 'inline',
    logLevel: 'warning',
  })
  const child = spawn(process.execPath, ['--enable-source-maps', ...process.execArgv, outfile, ...args], {
    stdio: 'inherit',
    env: { ...process.env, BIPLANE_ROOT: root },
  })
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code) => {
    rmSync(folder, { recursive: true, force: true })
    process.exitCode = code ?? 1
  })
}
