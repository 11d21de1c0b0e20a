import type { CliContext } from '../context.ts'
import { EXIT } from '../errors/cli-error.ts'
import type { NodeReply } from './ask-nodes.ts'

interface Heard {
  readonly routerProblem?: string
  readonly problems?: readonly string[]
}

/**
 * Says on standard error which nodes said nothing, and why. @returns the exit code: a failure when a node that was asked by name, or every node, is silent
 */
export function reportSilence(context: CliContext, replies: readonly NodeReply<Heard>[], asked: readonly string[]): number {
  let silent = 0
  for (const { node, answer, problem } of replies) {
    const why = problem ?? answer?.routerProblem
    if (why !== undefined) silent++
    for (const text of [...(why === undefined ? [] : [why]), ...(answer?.problems ?? [])]) context.err.write(`node ${node}: ${text}\n`)
  }
  return silent > 0 && (asked.length > 0 || silent === replies.length) ? EXIT.failure : EXIT.ok
}
