import type { Pod } from '../../../api/generated/types.ts'
import { StatusError } from '../../../base/errors.ts'
import { firstOf, flagOf, type Query } from '../http/query.ts'
import { chooseContainer } from './log-options.ts'

/** What a client of exec wants. */
export interface ExecOptions {
  /** argv; never empty. */
  readonly command: readonly string[]
  readonly container?: string
  readonly stdout: boolean
  readonly stderr: boolean
}

/** Bytes of all words of a command together. */
const MAX_COMMAND_BYTES = 128 * 1024

/**
 * Reads the query of `.../pods/<pod>/exec`. Source: k8s.io/kubernetes ValidatePodExecOptions.
 * @throws {StatusError} `BadRequest` without a command or an output, and for stdin and terminals, which are not built
 */
export function readExecQuery(query: Query | undefined): ExecOptions {
  const asked = query?.['command']
  const command = asked === undefined ? [] : typeof asked === 'string' ? [asked] : asked
  if (command.length === 0 || command[0] === '') throw new StatusError('BadRequest', 'you must specify at least 1 command')
  const size = command.reduce((sum, word) => sum + Buffer.byteLength(word) + 1, 0)
  if (size > MAX_COMMAND_BYTES) throw new StatusError('BadRequest', `the command has ${size} bytes, ${MAX_COMMAND_BYTES} are allowed`)
  if (flagOf(query, 'tty')) throw new StatusError('BadRequest', 'exec with a terminal is not supported here: leave out -t (--tty)')
  if (flagOf(query, 'stdin')) throw new StatusError('BadRequest', 'exec with standard input is not supported here: leave out -i (--stdin)')
  const [stdout, stderr] = [flagOf(query, 'stdout'), flagOf(query, 'stderr')]
  if (!stdout && !stderr) throw new StatusError('BadRequest', 'you must specify at least one of stdin, stdout, stderr')
  const container = firstOf(query, 'container')
  return { command, stdout, stderr, ...(container ? { container } : {}) }
}

/** Where to run it. @throws {StatusError} `BadRequest` for a pod that has ended or has no node yet, and for a container that is not in it */
export function execTarget(pod: Pod, asked: string | undefined): { readonly node: string; readonly container: string } {
  const phase = pod.status?.phase
  if (phase === 'Succeeded' || phase === 'Failed') {
    throw new StatusError('BadRequest', `cannot exec into a container in a completed pod; current phase is ${phase}`)
  }
  const container = chooseContainer(pod, asked)
  const node = pod.spec?.nodeName
  if (!node) throw new StatusError('BadRequest', `pod ${pod.metadata.name} does not have a host assigned`)
  return { node, container }
}
