import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { build } from 'esbuild'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../src/base/clock.ts'
import { parseIp } from '../src/base/ip.ts'
import { jsonLogger } from '../src/base/log.ts'
import { BfdManager, kernelBfdSockets } from '../src/control-plane/routing/index.ts'
import { createNetworkLab, labProblem, type LabHost, type NetworkLab } from '../src/testing/network-lab/index.ts'
import { Bird, birdProblem } from './bgp-support/bird.ts'
import { poll } from './support/poll.ts'
import { REPOSITORY } from './support/program.ts'

const missing = labProblem() || birdProblem()

/** Long enough for a loaded machine, and the work is longer by far. */
const INTERVAL_MS = 100
const MULTIPLIER = 10
const WORK_MS = 3_000

const BIRD = `
router id 192.0.2.2;
protocol bfd {
  interface "eth0" { min rx interval ${INTERVAL_MS} ms; min tx interval ${INTERVAL_MS} ms; multiplier ${MULTIPLIER}; };
  neighbor 192.0.2.1 dev "eth0" local 192.0.2.2;
}
`

describe.skipIf(missing !== '')(`BFD beside other work${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let lab: NetworkLab
  let us: LabHost
  let them: LabHost
  let bird: Bird
  let dir: string
  let watcher: Watcher | undefined

  beforeAll(async () => {
    dir = await bundleWatcher()
    lab = await createNetworkLab()
    us = await lab.host('us')
    them = await lab.host('them')
    await lab.segment([
      { host: us, device: 'eth0', addresses: ['192.0.2.1/24'] },
      { host: them, device: 'eth0', addresses: ['192.0.2.2/24'] },
    ])
    bird = await Bird.start(them, BIRD)
  })
  afterEach(() => watcher?.kill())
  afterAll(async () => {
    await bird?.stop()
    await lab?.remove()
    rmSync(dir, { recursive: true, force: true })
  })

  /** @returns state of the session at BIRD and since when */
  const session = async (): Promise<string> => /192\.0\.2\.1\s+eth0\s+(\S+\s+\S+)/.exec(await bird.show('show bfd sessions'))?.[1] ?? 'none'
  const begin = async (mode: 'thread' | 'in-process'): Promise<Watcher> => {
    watcher = new Watcher(us.spawn(watcherArgv(dir, mode), { stdio: ['pipe', 'pipe', 'inherit'] }))
    await watcher.says('state Up')
    await bird.shows('show bfd sessions', /192\.0\.2\.1\s+eth0\s+Up/)
    return watcher
  }

  test('a thread of its own keeps sessions up while the main thread is busy', async () => {
    const watcher = await begin('thread')
    const before = await session()
    await watcher.order(`work ${WORK_MS}`)
    // BIRD reckons back from now, give or take a millisecond
    expect(await session()).toSatisfy((after: string) => isSame(before, after))
  })

  test('without one the neighbour takes the path for dead', async () => {
    const watcher = await begin('in-process')
    const before = await session()
    await watcher.order(`work ${WORK_MS}`)
    expect(await session()).not.toSatisfy((after: string) => isSame(before, after))
  })

  test('a thread that dies is replaced, and its sessions come back', async () => {
    const watcher = await begin('thread')
    await watcher.order('kill')
    await watcher.says('state Down')
    watcher.lines.length = 0
    await watcher.says('state Up')
    await bird.shows('show bfd sessions', /192\.0\.2\.1\s+eth0\s+Up/)
    expect(watcher.lines.filter((line) => line.startsWith('down'))).toEqual([])
  })

  test('at the end the neighbour hears that this is no failure', async () => {
    await bird.kill()
    const lines: string[] = []
    const log = jsonLogger({ write: (line) => void lines.push(line), clock: systemClock })
    const sockets = kernelBfdSockets(Math.random, (fn) => them.inside(fn))
    const neighbour = new BfdManager({ sockets, log, clock: systemClock, random: Math.random })
    const timing = { minTxMs: INTERVAL_MS, minRxMs: INTERVAL_MS, detectMultiplier: MULTIPLIER }
    neighbour.watch(
      { address: parseIp('192.0.2.1')! },
      { ...timing, multihop: false, graceful: false },
      { changed: () => {}, down: (reason) => void lines.push(reason) },
    )
    try {
      watcher = new Watcher(us.spawn(watcherArgv(dir, 'thread'), { stdio: ['pipe', 'pipe', 'inherit'] }))
      await watcher.says('state Up')
      await poll('the neighbour is up', () => (lines.some((line) => line.includes('BFD is up')) ? true : undefined))
      await watcher.order('end', 'closed')
      const [, down] = await poll('the neighbour hears', () => (lines.length > 1 ? lines : undefined))
      expect(down).toContain('"reason":"shut down by the neighbour"')
    } finally {
      await neighbour.close()
    }
  })
})

/** The program of bfd-watcher.ts as a process. */
class Watcher {
  readonly lines: string[] = []
  readonly #child: ChildProcess

  constructor(child: ChildProcess) {
    this.#child = child
    createInterface({ input: child.stdout! }).on('line', (line) => this.lines.push(line))
  }

  async says(line: string): Promise<void> {
    await poll(`the watcher says "${line}"`, () => (this.lines.includes(line) ? true : undefined), { everyMs: 10 })
  }

  async order(line: string, answer = `done ${line.split(' ')[0]}`): Promise<void> {
    this.#child.stdin!.write(`${line}\n`)
    await this.says(answer)
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}

const watcherArgv = (dir: string, mode: string): readonly string[] => [
  process.execPath,
  join(dir, 'watcher.mjs'),
  mode,
  '192.0.2.2',
  String(INTERVAL_MS),
  String(MULTIPLIER),
]

async function bundleWatcher(): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'biplane-bfd-'))
  await build({
    absWorkingDir: REPOSITORY,
    entryPoints: ['test/bgp-support/bfd-watcher.ts'],
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    outfile: join(dir, 'watcher.mjs'),
    logLevel: 'error',
  })
  // dependencies are found from the bundle's own place
  symlinkSync(join(REPOSITORY, 'node_modules'), join(dir, 'node_modules'))
  return dir
}

/** Whether two words of BIRD (`Up  03:12:57.846`) are about one life of a session. */
function isSame(before: string, after: string): boolean {
  const [[stateBefore, since], [stateAfter, sinceAfter]] = [before.split(/\s+/), after.split(/\s+/)]
  const seconds = (time = ''): number => time.split(':').reduce((sum, part) => sum * 60 + Number(part), 0)
  return stateBefore === stateAfter && Math.abs(seconds(since) - seconds(sinceAfter)) < 0.1
}
