// node scripts/bench.mjs NAME [ARGS...]: bundles bench/NAME.ts, runs it with plain Node and passes ARGS on. Without NAME: lists the benches.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const [name, ...args] = process.argv.slice(2)
const source = join(root, 'bench', `${name}.ts`)

if (!name || !existsSync(source)) {
  const known = readdirSync(join(root, 'bench')).filter((file) => file.endsWith('.ts'))
  console.error(`usage: node scripts/bench.mjs NAME [ARGS...]\nbenches: ${known.map((file) => file.slice(0, -3)).join(' ')}`)
  process.exit(2)
}

// below node_modules, so that the bundle resolves packages as the source does
const folder = join(root, 'node_modules/.cache/biplane/bench', `${name}-${process.pid}`)
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
child.on('exit', (code, signal) => {
  rmSync(folder, { recursive: true, force: true })
  process.exitCode = code ?? (signal ? 1 : 0)
})
