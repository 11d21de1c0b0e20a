import { homedir } from 'node:os'
import { createInterface } from 'node:readline/promises'
import { systemClock } from '../base/clock.ts'
import type { CliContext, Output, Signals } from './context.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** The context of this very process. */
export function processContext(): CliContext {
  quietOnClosedPipe()
  return {
    env: process.env,
    cwd: process.cwd(),
    home: homedir(),
    isRoot: process.getuid?.() === 0,
    clock: systemClock,
    random: Math.random,
    out: outputOf(process.stdout),
    err: outputOf(process.stderr),
    readInput,
    ask,
    takeSignals,
    self: [process.execPath, ...process.execArgv, process.argv[1] ?? ''],
  }
}

function takeSignals(): Signals {
  const controller = new AbortController()
  const forced: (() => void)[] = []
  for (const name of SIGNALS) {
    process.on(name, () => {
      if (!controller.signal.aborted) controller.abort(new Error(name))
      else for (const listener of forced) listener()
    })
  }
  return { signal: controller.signal, onForce: (listener) => void forced.push(listener) }
}

/** `biplane get pods | head -1` is no error. */
function quietOnClosedPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0)
      throw error
    })
  }
}

function outputOf(stream: NodeJS.WriteStream): Output {
  return {
    write: (text) => void stream.write(text),
    get isTerminal() {
      return stream.isTTY
    },
    get columns() {
      return stream.columns || 80
    },
  }
}

async function readInput(): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

async function ask(question: string): Promise<string | undefined> {
  if (!process.stdin.isTTY) return undefined
  const reader = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await reader.question(question)
  } finally {
    reader.close()
  }
}
