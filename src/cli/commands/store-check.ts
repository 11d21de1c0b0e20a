import { runIntegrityChild } from '../../control-plane/store/integrity-child.ts'
import type { CliContext } from '../context.ts'

/** `biplane store-check`: the process in which the control plane has its store checked after a crash. */
export function runStoreCheck(context: CliContext, dir: string): Promise<number> {
  return runIntegrityChild(dir, { out: (text) => context.out.write(text), err: (text) => context.err.write(text) })
}
