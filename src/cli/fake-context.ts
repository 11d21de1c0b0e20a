import type { Clock } from '../base/clock.ts'
import { FakeClock } from '../base/fake-clock.ts'
import type { CliContext } from './context.ts'

/** A context whose output is kept, for tests of commands. */
export interface FakeContext extends CliContext {
  stdout(): string
  stderr(): string
}

export interface FakeContextOptions {
  readonly terminal?: boolean
  readonly env?: Readonly<Record<string, string>>
  readonly clock?: Clock
  readonly cwd?: string
  readonly input?: string
}

/** A world without terminal, signals and environment unless given. */
export function fakeContext(options: FakeContextOptions = {}): FakeContext {
  const { terminal = false, env = {}, clock = new FakeClock(), cwd = '/nowhere', input = '' } = options
  const written = { out: '', err: '' }
  const output = (name: 'out' | 'err'): CliContext['out'] => ({
    write: (text) => void (written[name] += text),
    isTerminal: terminal,
    columns: 80,
  })
  return {
    env,
    cwd,
    home: '/nowhere/home',
    clock,
    random: () => 0,
    out: output('out'),
    err: output('err'),
    readInput: () => Promise.resolve(input),
    ask: () => Promise.resolve(undefined),
    takeSignals: () => ({ signal: new AbortController().signal, onForce: () => {} }),
    self: ['biplane'],
    stdout: () => written.out,
    stderr: () => written.err,
  }
}
