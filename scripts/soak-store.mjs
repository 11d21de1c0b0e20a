// node scripts/soak-store.mjs [ROUNDS] [SEED]: kills a store under load again and again and checks that nothing acknowledged is lost.
// Default 200 rounds, about half a second each. Exit code 1 and the problems as JSON when something is lost.
import { runBundled } from './run-bundled.mjs'

const [rounds = '200', seed = String(process.pid)] = process.argv.slice(2)
await runBundled('test/store-support/program.ts', ['soak', rounds, seed])
