import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { silentLogger } from '../../../base/log.ts'
import { EMPTY_SNAPSHOT, type ProxySnapshot } from '../config/index.ts'
import type { SeenConnections } from '../../../protocols/mesh-link.ts'
import type { SharedHandle, SharedSocket } from '../transport/index.ts'
import type { FromWorker, ToWorker, WorkerCall, WorkerProcess } from './contract.ts'
import { SharedSockets } from './shared-sockets.ts'
import { WorkerPool } from './worker-pool.ts'

/** A worker that does as it is told, and nothing else. */
class Told implements WorkerProcess {
  readonly pid: number
  readonly messages: ToWorker[] = []
  readonly handles: (SharedHandle | undefined)[] = []
  /** What it answers. */
  answer: (call: WorkerCall) => unknown = () => undefined
  #say: (message: FromWorker) => void = () => {}
  #end: (why: string) => void = () => {}
  #isOver = false

  constructor(pid: number) {
    this.pid = pid
  }

  send(message: ToWorker, handle?: SharedHandle): void {
    this.messages.push(message)
    this.handles.push(handle)
    if (message.type !== 'call') return
    const { id, call } = message
    void Promise.resolve()
      .then(() => this.answer(call))
      .then(
        (value) => this.say({ type: 'done', id, value }),
        (error: unknown) => this.say({ type: 'done', id, error: { message: (error as Error).message } }),
      )
  }
  onMessage(listener: (message: FromWorker) => void): void {
    this.#say = listener
  }
  onExit(listener: (why: string) => void): void {
    this.#end = listener
  }
  kill(): void {
    this.end('killed')
  }
  say(message: FromWorker): void {
    if (!this.#isOver) this.#say(message)
  }
  end(why: string): void {
    if (!this.#isOver) this.#end(why)
    this.#isOver = true
  }
  get calls(): readonly string[] {
    return this.messages.flatMap((message) => (message.type === 'call' ? [message.call.name] : []))
  }
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

class Sockets {
  readonly open = new Set<string>()
  failures = 0
  readonly bind = (host: string, port: number): SharedSocket => {
    const key = `${host} ${port}`
    if (this.failures-- > 0) throw Object.assign(new Error('in use'), { code: 'EADDRINUSE' })
    if (this.open.has(key)) throw new Error(`${key} is bound twice`)
    this.open.add(key)
    return { port, handle: { close() {} }, close: () => void this.open.delete(key) }
  }
}

const cluster = (name: string): ProxySnapshot => ({ ...EMPTY_SNAPSHOT, clusters: new Map([[name, { name } as never]]) })

class Bench {
  readonly clock = new FakeClock()
  readonly sockets = new Sockets()
  readonly workers: Told[] = []
  readonly wanted: string[] = []
  readonly seen: SeenConnections[] = []
  missing = new Set<string>()
  answer: Told['answer'] = () => ({})

  start(count = 2): Promise<WorkerPool> {
    return WorkerPool.start({
      count,
      start: () => {
        const worker = new Told(this.workers.length + 1)
        worker.answer = (call) => this.answer(call)
        this.workers.push(worker)
        return worker
      },
      settings: { place: {}, service: 'web.shop', isGateway: false },
      identity: { material: undefined, trust: new Map(), onChange: () => () => {} },
      config: () => ({
        want: (_, name) => void this.wanted.push(name),
        release: (_, name) => void this.wanted.splice(this.wanted.indexOf(name), 1),
        isMissing: (_, name) => this.missing.has(name),
        status: { connected: true },
      }),
      clock: this.clock,
      random: () => 0,
      log: silentLogger,
      bind: this.sockets.bind,
      onSeen: (connections) => void this.seen.push(...connections),
    })
  }
  worker(pid: number): Told {
    return this.workers[pid - 1] as Told
  }
}

describe('a pool of workers', () => {
  it('passes on who has called any of them', async () => {
    const bench = new Bench()
    await bench.start()
    const connections: readonly SeenConnections[] = [{ address: '10.0.0.9', port: 80, transport: 'plaintext', count: 2 }]
    for (const pid of [1, 2]) bench.worker(pid).say({ type: 'seen', connections })
    expect(bench.seen).toEqual([...connections, ...connections])
  })

  it('tells who takes the place of another all that there is, and keeps its sockets meanwhile', async () => {
    const bench = new Bench()
    const pool = await bench.start()
    await pool.update(cluster('a'))
    await pool.listenMesh('::')
    bench.worker(1).say({ type: 'bind', id: 1, host: '::', port: 80 })
    bench.worker(2).say({ type: 'bind', id: 1, host: '::', port: 80 })
    await turns()
    expect(bench.worker(1).handles.at(-1)).toBe(bench.worker(2).handles.at(-1))
    for (const pid of [1, 2]) bench.worker(pid).end('a bug')
    await turns()
    expect([...bench.sockets.open]).toEqual([':: 80'])
    await bench.clock.advance(0)
    await turns()
    await bench.clock.advance(1_000)
    await turns()
    expect(bench.workers).toHaveLength(4)
    const [start, identity, heard, update] = bench
      .worker(3)
      .messages.filter((message) => message.type !== 'call' || message.call.name === 'update')
    expect([start?.type, identity?.type, heard?.type]).toEqual(['start', 'identity', 'heard'])
    expect(update).toMatchObject({ call: { change: { parts: { clusters: { set: [['a', { name: 'a' }]] } } } } })
    expect(bench.worker(3).calls).toEqual(['update', 'listenMesh'])
    // nobody has wanted that port again
    expect([...bench.sockets.open]).toEqual([])
  })

  it('has a configuration in force when all have, however many die meanwhile', async () => {
    const bench = new Bench()
    const pool = await bench.start()
    let go = (): void => {}
    bench.answer = (call) => (call.name === 'update' ? new Promise<void>((resolve) => (go = resolve)) : {})
    const next = cluster('a')
    const taken = pool.update(next)
    await turns()
    bench.worker(1).end('a bug')
    await turns()
    expect(pool.snapshot).toBe(EMPTY_SNAPSHOT)
    go()
    await taken
    expect(pool.snapshot).toBe(next)
  })

  it('refuses a configuration that a worker refuses', async () => {
    const bench = new Bench()
    const pool = await bench.start()
    bench.answer = () => {
      throw new Error('no such thing')
    }
    await expect(pool.update(cluster('a'))).rejects.toThrow('no such thing')
  })

  it('asks once for what any of them wants, tells what does not exist, and forgets what a dead one wanted', async () => {
    const bench = new Bench()
    bench.missing.add('outbound|1.2.3.4|80')
    const pool = await bench.start()
    for (const pid of [1, 1, 2]) bench.worker(pid).say({ type: 'want', name: 'outbound|1.2.3.4|80' })
    expect(bench.wanted).toHaveLength(2)
    expect(bench.worker(2).messages.at(-1)).toEqual({ type: 'heard', connected: true, missing: ['outbound|1.2.3.4|80'] })
    bench.worker(1).end('a bug')
    await turns()
    bench.worker(2).say({ type: 'release', name: 'outbound|1.2.3.4|80' })
    expect(bench.wanted).toEqual([])
    await pool.close()
  })

  it('says what one of them cannot bind, until it can', async () => {
    const bench = new Bench()
    const pool = await bench.start()
    let unbound: string | undefined = ':80 is in use'
    bench.answer = (call) => (call.name === 'counts' ? { connections: 0, inboundHttp: 0, unbound } : undefined)
    await pool.update(cluster('a'))
    expect(pool.unbound).toBe(':80 is in use')
    await turns()
    unbound = undefined
    expect(pool.unbound).toBe(':80 is in use')
    await turns()
    expect(pool.unbound).toBeUndefined()
  })

  it('adds what all have counted, those that are gone too', async () => {
    const bench = new Bench()
    const pool = await bench.start()
    bench.answer = (call) => (call.name === 'metrics' ? '# TYPE n counter\nn 2\n# TYPE g gauge\ng 1\n' : undefined)
    expect(await pool.metrics.render()).toBe('# TYPE n counter\nn 4\n# TYPE g gauge\ng 2\n')
    bench.worker(1).end('a bug')
    await turns()
    expect(await pool.metrics.render()).toBe('# TYPE n counter\nn 4\n# TYPE g gauge\ng 1\n')
  })

  it('waits ever longer before it starts one that ends at once, and none when it is stopped', async () => {
    const bench = new Bench()
    const pool = await bench.start(1)
    const begun: number[] = []
    const from = bench.clock.monotonic()
    for (let i = 1; i <= 5; i++) {
      bench.worker(i).end('a bug')
      await turns()
      for (let steps = 0; steps < 100 && bench.workers.length === i; steps++) {
        await bench.clock.advance(50)
        await turns()
      }
      begun.push(bench.clock.monotonic() - from)
    }
    expect(begun).toEqual([50, 150, 350, 750, 1550])
    await pool.stopListening()
    bench.worker(6).end('a bug')
    await turns()
    await bench.clock.advance(60_000)
    await turns()
    expect(bench.workers).toHaveLength(6)
  })

  it('does not start when a worker ends at once', async () => {
    const bench = new Bench()
    const starting = bench.start()
    bench.worker(1).end('exit code 1')
    await expect(starting).rejects.toThrow('the worker has ended: exit code 1')
  })
})

describe('shared sockets', () => {
  it('are bound once, and closed when nobody wants them', async () => {
    const sockets = new Sockets()
    const shared = new SharedSockets(sockets.bind, new FakeClock())
    const [one, two] = [{}, {}]
    expect(await shared.open('::', 80, one)).toBe(await shared.open('::', 80, two))
    shared.release('::', 80, one)
    shared.release('::', 80, one)
    shared.settle()
    expect(sockets.open.size).toBe(1)
    shared.release('::', 80, two)
    expect(sockets.open.size).toBe(0)
  })

  it('are waited for where another process has not let go of the port yet, for a second', async () => {
    const [sockets, clock] = [new Sockets(), new FakeClock()]
    const shared = new SharedSockets(sockets.bind, clock)
    sockets.failures = 3
    const opened = shared.open('::', 80, {})
    await clock.advance(100)
    await opened
    sockets.failures = 1_000
    const refused = shared.open('::', 81, {}).catch((error: unknown) => (error as Error).message)
    await clock.advance(1_200)
    expect(await refused).toBe('in use')
  })
})
