import { existsSync } from 'node:fs'
import { sleep } from '../../base/clock.ts'
import type { CliContext } from '../context.ts'
import { dataDirOf } from '../data-dir.ts'
import { CliError, EXIT } from '../errors/cli-error.ts'
import { dropEntry } from '../kubeconfig/kubeconfig-file.ts'
import { deleteData, isDataDirectory } from '../up/delete-data.ts'
import { isSameProcess, UpDirectory } from '../up/up-directory.ts'

interface DownOptions {
  readonly dataDir?: string
  readonly keep?: boolean
  readonly data?: boolean
  readonly yes?: boolean
  readonly timeout: number
}

const POLL_MS = 50

/** `biplane down`. */
export async function runDown(context: CliContext, options: DownOptions): Promise<number> {
  const { clock, out } = context
  const dataDir = dataDirOf(context, options.dataDir)
  if (!existsSync(dataDir)) {
    out.write(`nothing to end: ${dataDir} does not exist\n`)
    return EXIT.ok
  }
  if (options.data && !isDataDirectory(dataDir)) {
    throw new CliError(`${dataDir} is no data directory of biplane`, {
      why: 'nothing of biplane lies in it',
      fix: 'check --data-dir; nothing was deleted',
    })
  }
  if (options.data && !options.yes && !(await isConfirmed(context, dataDir))) return EXIT.failure
  const directory = new UpDirectory(dataDir)
  const alive = setInterval(() => {}, 1_000)
  try {
    const owner = directory.owner()
    if (owner) {
      process.kill(owner.pid, 'SIGTERM')
      const deadline = clock.monotonic() + options.timeout
      while (isSameProcess(owner)) {
        if (clock.monotonic() > deadline) {
          throw new CliError(`process ${owner.pid} did not end within ${options.timeout / 1000} s`, {
            fix: `wait longer with --timeout, or send it the signal once more: kill ${owner.pid}`,
          })
        }
        await sleep(clock, POLL_MS)
      }
      out.write(`ended the cluster in ${dataDir} (process ${owner.pid})\n`)
    } else out.write(`no cluster runs in ${dataDir}\n`)
    if (!options.keep || options.data) await stopLeftovers(context, dataDir)
    await dropKubeconfigEntry(context, directory)
    if (options.data) {
      const kept = await deleteData(dataDir)
      out.write(
        kept.length === 0 ? `deleted ${dataDir}\n` : `deleted the data in ${dataDir}; not ours and still there: ${kept.join(', ')}\n`,
      )
    }
    return EXIT.ok
  } finally {
    clearInterval(alive)
  }
}

async function isConfirmed(context: CliContext, dataDir: string): Promise<boolean> {
  const answer = await context.ask(`Delete ${dataDir} with everything in the cluster? [y/N] `)
  if (answer === undefined) throw new CliError(`${dataDir} was not deleted`, { why: 'nobody was there to be asked', fix: 'add --yes' })
  return /^y(es)?$/i.test(answer.trim())
}

async function stopLeftovers(context: CliContext, dataDir: string): Promise<void> {
  const { stopLeftoverWorkloads } = await import('../node/stop-leftovers.ts')
  const stopped = await stopLeftoverWorkloads(context, dataDir)
  if (stopped > 0) context.out.write(`stopped ${stopped} ${stopped === 1 ? 'container that was' : 'containers that were'} left running\n`)
}

async function dropKubeconfigEntry(context: CliContext, directory: UpDirectory): Promise<void> {
  const record = directory.kubeconfigEntry
  if (!record) return
  const changes = await dropEntry(record, context.clock)
  if (changes.length > 0) context.out.write(`kubeconfig: ${changes.join(', ')} (${record.path})\n`)
  directory.kubeconfigEntry = undefined
}
