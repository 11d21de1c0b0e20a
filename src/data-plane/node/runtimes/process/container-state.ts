import type { ContainerStatus } from '../../runtime.ts'
import type { ProcessIdentity } from './proc.ts'

/** Who keeps a container: the first thing a shim writes. */
export interface Claim extends ProcessIdentity {
  readonly bootId: string
}

/** How a container ended. */
export interface Exit {
  readonly exitCode: number
  readonly reason: NonNullable<ContainerStatus['reason']>
  readonly message?: string
}

/** What is known about a container from its files and the process table. */
export interface ContainerFacts {
  readonly claim: Claim | undefined
  readonly program: ProcessIdentity | undefined
  readonly exit: Exit | undefined
  /** Of the machine now. */
  readonly bootId: string
  readonly isAlive: (identity: ProcessIdentity) => boolean
}

/** `lost`: it has ended but nobody could write down how. */
export type StateDecision = 'created' | 'starting' | 'running' | 'exited' | 'lost'

/** The state of a container. A dead program with a living shim still runs: the shim is about to write its exit. */
export function decideState(facts: ContainerFacts): StateDecision {
  const { claim, program, exit } = facts
  if (exit) return 'exited'
  if (!claim) return 'created'
  if (claim.bootId !== facts.bootId) return 'lost'
  if (program && facts.isAlive(program)) return 'running'
  if (!facts.isAlive(claim)) return 'lost'
  return program ? 'running' : 'starting'
}

/** Parses `pid startTicks bootId`; undefined while the line is not complete. */
export function parseClaim(text: string | undefined): Claim | undefined {
  const match = /^(\d+) (\d+) (\S+)\n/.exec(text ?? '')
  return match ? { pid: Number(match[1]), startTicks: Number(match[2]), bootId: match[3] as string } : undefined
}

/** Parses `pid startTicks`. */
export function parseProgram(text: string | undefined): ProcessIdentity | undefined {
  const match = /^(\d+) (\d+)\n/.exec(text ?? '')
  return match ? { pid: Number(match[1]), startTicks: Number(match[2]) } : undefined
}

/** Parses `exitCode oomKills [reason message]`. A code of 137 alone says nothing about memory: only the kernel's counter does. */
export function parseExit(text: string | undefined): Exit | undefined {
  const match = /^(\d+) (\d+)(?: (\w+) ?(.*))?\n/.exec(text ?? '')
  if (!match) return undefined
  const exitCode = Number(match[1])
  if (match[3] !== undefined) return { exitCode, reason: match[3] as Exit['reason'], ...(match[4] ? { message: match[4] } : {}) }
  if (exitCode === 0) return { exitCode, reason: 'Completed' }
  return { exitCode, reason: Number(match[2]) > 0 ? 'OOMKilled' : 'Error' }
}

/** The exit file's text when the agent, not the shim, writes it. */
export function formatExit(exit: Exit): string {
  return `${exit.exitCode} 0 ${exit.reason} ${(exit.message ?? '').replaceAll('\n', ' ')}\n`
}

/** What the agent writes for a lost container. Exit code as upstream. */
export const LOST_EXIT: Exit = {
  exitCode: 137,
  reason: 'ContainerStatusUnknown',
  message: 'the container ended unseen: the machine was restarted, or its shim was killed',
}
