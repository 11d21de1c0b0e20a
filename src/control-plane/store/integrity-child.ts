import { messageOf } from '../../base/errors.ts'
import { verifyStore } from './verify-store.ts'

/**
 * The child's side of `verifyInChild`: prints the report as JSON, or the reason on stderr.
 *
 * @returns the exit code: 0 sound, 1 damaged
 */
export async function runIntegrityChild(dir: string, print: { out: (text: string) => void; err: (text: string) => void }): Promise<number> {
  try {
    print.out(`${JSON.stringify(await verifyStore(dir))}\n`)
    return 0
  } catch (error) {
    print.err(`${messageOf(error)}\n`)
    return 1
  }
}
