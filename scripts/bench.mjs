// node scripts/bench.mjs NAME [ARGS...]: bundles bench/NAME.ts, runs it with plain Node and passes ARGS on. Without NAME: lists the benches.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { root, runBundled } from './run-bundled.mjs'

const [name, ...args] = process.argv.slice(2)
if (!name || !existsSync(join(root, 'bench', `${name}.ts`))) {
  const known = readdirSync(join(root, 'bench')).filter((file) => file.endsWith('.ts'))
  console.error(`usage: node scripts/bench.mjs NAME [ARGS...]\nbenches: ${known.map((file) => file.slice(0, -3)).join(' ')}`)
  process.exit(2)
}
await runBundled(`bench/${name}.ts`, args)
