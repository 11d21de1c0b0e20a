// What the store's crash tests run in processes of their own:
//   write DIR SEED        writes until killed          script DIR WRITES   a run that ends by itself
//   images FILE FROM      checks crash images          check DIR           the integrity check
//   fill DIR              writes until refused         soak ROUNDS SEED    kill rounds with this very program
import { runIntegrityChild } from '../../src/control-plane/store/index.ts'
import { checkImages } from './crash-images.ts'
import { fillUntilRefused } from './fill.ts'
import { runKillRounds } from './kill-rounds.ts'
import { writeScript, writeUntilKilled } from './writers.ts'

const [mode, first = '', second = '0'] = process.argv.slice(2)
switch (mode) {
  case 'write':
    await writeUntilKilled(first, Number(second))
    break
  case 'script':
    await writeScript(first, Number(second))
    break
  case 'images':
    await checkImages(first, Number(second))
    break
  case 'fill':
    await fillUntilRefused(first)
    break
  case 'check':
    process.exitCode = await runIntegrityChild(first, {
      out: (text) => process.stdout.write(text),
      err: (text) => process.stderr.write(text),
    })
    break
  case 'soak': {
    const onRound = (line: string): void => void process.stdout.write(`${line}\n`)
    const report = await runKillRounds(process.argv[1] as string, Number(first), { seed: Number(second), onRound })
    process.stdout.write(`${JSON.stringify(report)}\n`)
    process.exitCode = report.problems.length === 0 ? 0 : 1
    break
  }
  default:
    process.stderr.write(`unknown mode ${mode}\n`)
    process.exitCode = 2
}
