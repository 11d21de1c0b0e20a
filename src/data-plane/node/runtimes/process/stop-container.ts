import { constants } from 'node:os'
import { RuntimeError } from '../../runtime.ts'
import type { ContainerRecord } from './container-record.ts'
import { isAlive, sendSignal } from './proc.ts'

/** How long the kernel may take to end what was killed. */
const KILL_MS = 10_000

/** Resolves with whether `test` came true within `timeoutMs`. */
export type WaitFor = (record: ContainerRecord, test: () => boolean, timeoutMs: number) => Promise<boolean>

/**
 * Ends a container: signal, grace, KILL. The signal goes to the whole process group, for a shell that runs the program neither ends by itself nor
 * passes signals on; the shim is in that group too, and survives all but KILL.
 * @throws RuntimeError `InvalidArgument` for an unknown signal, `Timeout` when the kernel does not end it
 */
export async function stopContainer(
  record: ContainerRecord,
  options: { readonly signal?: string; readonly graceMs: number; readonly waitFor: WaitFor },
): Promise<void> {
  const { graceMs, waitFor } = options
  const signal = signalNamed(options.signal ?? 'SIGTERM')
  if (record.hasEnded) return
  if (!record.isStarted && record.forbidStart()) {
    record.finish({ exitCode: 137, reason: 'Error', message: 'stopped before it was started' })
    return
  }
  const ended = (): boolean => record.hasEnded
  if (graceMs > 0) {
    // until its program runs, the shim's handlers would swallow the signal
    await waitFor(record, () => record.isRunning || record.hasEnded, graceMs)
    signalGroup(record, signal)
    if (await waitFor(record, ended, graceMs)) return
  }
  killProgram(record)
  if (await waitFor(record, ended, KILL_MS)) return
  throw new RuntimeError(
    'Timeout',
    `container ${record.id} has not ended ${KILL_MS / 1000} s after SIGKILL: a process of it hangs in the kernel`,
  )
}

function signalGroup(record: ContainerRecord, signal: NodeJS.Signals): void {
  const { claim, program } = record
  // the number of a group is taken as long as one of its processes lives
  if (claim && (isAlive(claim) || (program && isAlive(program)))) sendSignal(-claim.pid, signal)
}

/** Kills the program alone: its shim then writes the exit down and kills the rest. */
function killProgram(record: ContainerRecord): void {
  const { claim, program } = record
  if (program && isAlive(program)) sendSignal(program.pid, 'SIGKILL')
  else if (claim && !program && isAlive(claim)) sendSignal(-claim.pid, 'SIGKILL')
}

function signalNamed(name: string): NodeJS.Signals {
  const signal = name.startsWith('SIG') ? name : `SIG${name}`
  if (Object.hasOwn(constants.signals, signal)) return signal as NodeJS.Signals
  throw new RuntimeError('InvalidArgument', `"${name}" is not a signal of this machine: use a name such as SIGTERM`)
}
