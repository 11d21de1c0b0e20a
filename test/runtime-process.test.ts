import { appendFile } from 'node:fs/promises'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sleep, systemClock } from '../src/base/clock.ts'
import type { RuntimeCapabilities } from '../src/data-plane/node/runtime.ts'
import { describeRuntime } from '../src/data-plane/node/runtimes/conformance.ts'
import { readProcess } from '../src/data-plane/node/runtimes/process/proc.ts'
import { ended, logsOf, output, RuntimeFixture, until } from './runtime-process-fixture.ts'

const PLAIN: RuntimeCapabilities = { limits: true, mounts: true, users: true }
const PROGRAM = 'exec 3<>"$CONTROL"; while read -r verb rest <&3; do case $verb in print) echo "$rest";; exit) exit "$rest";; esac; done'

for (const [name, without] of [
  ['process', {}],
  ['process without root', PLAIN],
] as const) {
  describeRuntime(name, async () => {
    const fixture = new RuntimeFixture()
    const runtime = fixture.runtime({ without })
    const control = (id: string): string => fixture.fifo(id.replaceAll('/', '-'))
    return {
      runtime,
      program: async (key) => ({ command: ['/bin/sh', '-c', PROGRAM], env: { CONTROL: fixture.fifo(key) } }),
      print: (id, line) => appendFile(control(id), `print ${line}\n`),
      finish: (id, exitCode) => appendFile(control(id), `exit ${exitCode}\n`),
      during: (work) => work,
      until: async (holds) => void (await until(holds, (value) => value)),
      close: () => fixture.close(),
    }
  })
}

let fixture: RuntimeFixture
beforeEach(() => {
  fixture = new RuntimeFixture()
})
afterEach(() => fixture.close())

// what this machine can do decides which tests run
const probed = new RuntimeFixture()
const { capabilities } = await probed.runtime().probe()
await probed.close()
const noRoot = capabilities.users && capabilities.mounts ? '' : ' (skipped: needs root, setpriv and private mounts)'
const noLimits = capabilities.limits ? '' : ' (skipped: needs root and cgroups)'

describe('ends', () => {
  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGQUIT', 131],
    ['SIGKILL', 137],
  ] as const)('a program that dies by %s has exit code %i', async (signal, exitCode) => {
    const runtime = fixture.runtime()
    const id = await fixture.start(runtime, ['sleep', '1000'])
    process.kill((await runtime.status(id))?.pid ?? 0, signal)
    expect(await ended(runtime, id)).toMatchObject({ exitCode, reason: 'Error' })
  })

  test('its own exit code is kept', async () => {
    const runtime = fixture.runtime()
    expect(await ended(runtime, await fixture.start(runtime, ['sh', '-c', 'exit 42']))).toMatchObject({ exitCode: 42, reason: 'Error' })
  })

  test('stop signals the program behind a shell too, with the signal asked for', async () => {
    const runtime = fixture.runtime()
    const id = await fixture.start(runtime, ['sh', '-c', 'sleep 1000; echo not reached'])
    const before = systemClock.monotonic()
    await runtime.stopContainer(id, { graceMs: 30_000, signal: 'HUP' })
    expect(systemClock.monotonic() - before).toBeLessThan(5000)
    expect(await runtime.status(id)).toMatchObject({ exitCode: 129 })
    await expect(
      runtime.stopContainer(await fixture.start(runtime, ['sleep', '9']), { graceMs: 1, signal: 'SIGNOPE' }),
    ).rejects.toMatchObject({
      code: 'InvalidArgument',
    })
  })

  test('a program that ignores the signal is killed after its grace, and may clean up within it', async () => {
    const runtime = fixture.runtime()
    const deaf = await fixture.start(runtime, ['sh', '-c', 'trap "" TERM; echo up; sleep 1000 & wait; wait'])
    const tidy = await fixture.start(runtime, ['sh', '-c', 'trap "echo bye; exit 0" TERM; echo up; sleep 1000 & wait'])
    for (const id of [deaf, tidy])
      await until(
        () => logsOf(runtime, id),
        (text) => text === 'up\n',
      )
    await Promise.all([runtime.stopContainer(deaf, { graceMs: 300 }), runtime.stopContainer(tidy, { graceMs: 10_000 })])
    expect(await runtime.status(deaf)).toMatchObject({ exitCode: 137, reason: 'Error' })
    expect(await runtime.status(tidy)).toMatchObject({ exitCode: 0, reason: 'Completed' })
    expect(await logsOf(runtime, tidy)).toBe('up\nbye\n')
  })

  test.each([
    ['cgroups', {}],
    ['variables', PLAIN],
  ] as const)('a daemon that left its session ends with its container, found by %s', async (_how, without) => {
    const runtime = fixture.runtime({ without })
    const id = await fixture.start(runtime, ['sh', '-c', 'setsid sh -c \'echo $$; exec sleep 1000\' & read -r line < "$CONTROL"; exit 0'], {
      env: { CONTROL: fixture.fifo('control') },
    })
    const pid = Number(
      await until(
        () => logsOf(runtime, id),
        (text) => text.endsWith('\n'),
      ),
    )
    expect(readProcess(pid)).toBeDefined()
    await appendFile(fixture.fifo('control'), 'go\n')
    expect(await ended(runtime, id)).toMatchObject({ reason: 'Completed' })
    await until(
      () => readProcess(pid) === undefined,
      (gone) => gone,
    )
  })

  test.skipIf(!capabilities.limits)(`a program beyond its memory limit is OOMKilled${noLimits}`, async () => {
    const runtime = fixture.runtime()
    const id = await fixture.start(runtime, ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=200M', 'count=1'], {
      limits: { memoryBytes: 32 * 1024 * 1024 },
    })
    expect(await ended(runtime, id)).toMatchObject({ exitCode: 137, reason: 'OOMKilled' })
  })

  test.skipIf(!capabilities.limits)(`a program gets no more CPU than its limit${noLimits}`, async () => {
    const runtime = fixture.runtime()
    const id = await fixture.start(runtime, ['sh', '-c', 'while :; do :; done'], { limits: { cpuMillis: 100 } })
    const first = (await runtime.usage()).get(id)
    await sleep(systemClock, 1000)
    const second = (await runtime.usage()).get(id)
    const cores = Number((second?.cpuNanos ?? 0n) - (first?.cpuNanos ?? 0n)) / 1e6 / ((second?.atMs ?? 0) - (first?.atMs ?? 0))
    expect(cores).toBeGreaterThan(0.01)
    expect(cores).toBeLessThan(0.25)
  })
})

describe('starts', () => {
  test.each([
    [['no-such-program'], {}, /program "no-such-program" is not on this node/],
    [['/etc/passwd'], {}, /may not be executed/],
    [['sleep', '1'], { workingDir: '/no/such' }, /working directory "\/no\/such" does not exist/],
  ])('%j %j cannot start, and says why', async (command, options, message) => {
    const runtime = fixture.runtime()
    const id = await fixture.create(runtime, command, options)
    await expect(runtime.startContainer(id)).rejects.toMatchObject({ code: 'StartError', message: expect.stringMatching(message) })
    expect(await runtime.status(id)).toMatchObject({
      state: 'exited',
      exitCode: 128,
      reason: 'StartError',
      message: expect.stringMatching(message),
    })
  })

  test('what the program is given arrives as it is', async () => {
    const runtime = fixture.runtime()
    const script =
      'console.log(JSON.stringify([process.argv.slice(1), process.env.A + process.env.IFS + process.env._bp_dir, process.env["my.var"], process.env.HOSTNAME, process.cwd()]))'
    const argv = ['', 'a b', '$HOME', '`id`', "it's", '*', '\\n']
    const text = await output(fixture, runtime, [process.execPath, '-e', script, '--', ...argv], {
      env: { A: '$x "y"\nz', 'my.var': 'dots', IFS: 'i', _bp_dir: 'd' },
      workingDir: '/usr',
    })
    expect(JSON.parse(text)).toEqual([argv, '$x "y"\nzid', 'dots', expect.stringMatching(/^pod-/), '/usr'])
  })

  test('output of both kinds keeps its order, and /dev/stdout can be opened', async () => {
    const runtime = fixture.runtime()
    expect(await output(fixture, runtime, ['sh', '-c', 'echo a; echo b >&2; echo c >> /dev/stdout; echo d >> /dev/stderr'])).toBe(
      'a\nb\nc\nd\n',
    )
  })

  test('addresses are never given twice, also after a restart of the agent', async () => {
    const first = fixture.runtime()
    const before = await Promise.all(['a', 'b'].map((uid) => first.ensureSandbox({ metadata: { name: uid, uid } })))
    await first.close()
    const second = fixture.runtime()
    const after = await second.ensureSandbox({ metadata: { name: 'c', uid: 'c' } })
    expect(new Set([...before, after].map((sandbox) => sandbox.ips[0])).size).toBe(3)
    expect((await second.listPods()).map(({ sandbox }) => sandbox).slice(0, 2)).toEqual(before)
  })

  test.skipIf(!capabilities.users)(`containers run as nobody, or as the user asked for, and may bind low ports${noRoot}`, async () => {
    const runtime = fixture.runtime()
    expect(await output(fixture, runtime, ['sh', '-c', 'id -u; id -g; id -G'])).toBe('65534\n65534\n65534\n')
    expect(await output(fixture, runtime, ['sh', '-c', 'id -u; id -g'], { user: { uid: 1234, gid: 567 } })).toBe('1234\n567\n')
    expect(await output(fixture, runtime, ['id', '-u'], { user: { uid: 0, gid: 0 } })).toBe('0\n')
    const listen = 'require("net").createServer().listen(81, "127.64.1.250", () => { console.log("bound"); process.exit() })'
    expect(await output(fixture, runtime, [process.execPath, '-e', listen])).toBe('bound\n')
    expect(await output(fixture, runtime, ['grep', '-E', '^(CapEff|CapBnd|NoNewPrivs)', '/proc/self/status'])).toBe(
      'CapEff:\t0000000000000400\nCapBnd:\t0000000000000400\nNoNewPrivs:\t1\n',
    )
  })
})

describe('mounts', () => {
  function volume(name: string): string {
    const path = join(fixture.dir, name)
    mkdirSync(path, { mode: 0o777 })
    writeFileSync(join(path, 'key'), `${name}\n`)
    return path
  }

  test.skipIf(!capabilities.mounts)(`volumes are at their true path and the machine stays as it is${noRoot}`, async () => {
    const runtime = fixture.runtime()
    const hosts = join(fixture.dir, 'hosts')
    writeFileSync(hosts, '127.0.0.1 localhost\n127.64.9.9 reviews reviews.default\n', { mode: 0o644 })
    const real = readFileSync('/etc/hosts', 'utf8')
    const mounts = [
      { hostPath: volume('config'), mountPath: '/biplane-test/etc', readOnly: true },
      { hostPath: volume('token'), mountPath: '/var/run/secrets/biplane-test/token', readOnly: false },
      { hostPath: hosts, mountPath: '/etc/hosts', readOnly: true },
    ]
    const script = `cat /biplane-test/etc/key /var/run/secrets/biplane-test/token/key; grep -c reviews /etc/hosts
      echo x 2>/dev/null > /biplane-test/etc/new || echo read-only; echo y > /var/run/secrets/biplane-test/token/key
      echo z > /tmp/biplane-test-file; cat /tmp/biplane-test-file; echo zero > /dev/null; head -c 3 /dev/zero | wc -c; test -d /proc/self && test -d /sys/kernel && echo fine
      read -r line < "$CONTROL"`
    const id = await fixture.start(runtime, ['sh', '-c', script], {
      mounts,
      env: { CONTROL: fixture.fifo('control') },
      user: { uid: 0, gid: 0 },
    })
    const text = await until(
      () => logsOf(runtime, id),
      (log) => log.includes('fine'),
    )
    expect(text).toBe('config\ntoken\n1\nread-only\nz\n3\nfine\n')
    const beside = await runtime.execSync(id, ['sh', '-c', 'pwd; cat /biplane-test/etc/key; getent hosts reviews'], 10_000)
    expect(beside.stdout.toString()).toBe('/\nconfig\n127.64.9.9      reviews reviews.default\n')
    expect(['/biplane-test', '/run/secrets/biplane-test', '/tmp/biplane-test-file'].filter((path) => existsSync(path))).toEqual([])
    expect(readFileSync('/etc/hosts', 'utf8')).toBe(real)
    expect(readFileSync(join(fixture.dir, 'token', 'key'), 'utf8')).toBe('y\n')
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(fixture.dir)
  })

  test.skipIf(!capabilities.mounts)(
    `over an existing path a bind mount does, also as nobody and in a working directory inside it${noRoot}`,
    async () => {
      const runtime = fixture.runtime()
      const mounts = [
        { hostPath: volume('data'), mountPath: '/srv', readOnly: false },
        { hostPath: volume('inner'), mountPath: '/srv/inner', readOnly: true },
      ]
      expect(await output(fixture, runtime, ['sh', '-c', 'pwd; id -u; cat key inner/key'], { mounts, workingDir: '/srv' })).toBe(
        '/srv\n65534\ndata\ninner\n',
      )
    },
  )

  test.skipIf(!capabilities.mounts)(`a program may lie in a volume${noRoot}`, async () => {
    const runtime = fixture.runtime()
    const hostPath = volume('scripts')
    writeFileSync(join(hostPath, 'run.sh'), '#!/bin/sh\necho "ran $1 in $(pwd)"\n', { mode: 0o755 })
    const mounts = [{ hostPath, mountPath: '/biplane-test/scripts', readOnly: true }]
    expect(await output(fixture, runtime, ['./run.sh', 'well'], { mounts, workingDir: '/biplane-test/scripts' })).toBe(
      'ran well in /biplane-test/scripts\n',
    )
    const bad = await fixture.create(runtime, ['/biplane-test/scripts/key'], { mounts })
    await expect(runtime.startContainer(bad)).rejects.toMatchObject({
      code: 'StartError',
      message: expect.stringContaining('may not be executed'),
    })
  })

  test('without private mounts, paths in the command lead to the volumes', async () => {
    const runtime = fixture.runtime({ without: PLAIN })
    const mounts = [{ hostPath: volume('config'), mountPath: '/etc/my-app', readOnly: true }]
    expect(await output(fixture, runtime, ['sh', '-c', 'cat /etc/my-app/key "$BIPLANE_MOUNT_ETC_MY_APP/key"'], { mounts })).toBe(
      'config\nconfig\n',
    )
    expect((await runtime.probe()).capabilities).toEqual({ limits: false, mounts: false, users: false })
  })
})

describe('logs', () => {
  test('old lines go without loss of a single new one while the program writes', async () => {
    const runtime = fixture.runtime({ logLimits: { maxBytes: 32_768, maxFiles: 3 } })
    const script = 'i=0; while [ $i -lt 60 ]; do seq $((i*1000+1)) $((i*1000+1000)); i=$((i+1)); sleep 0.05; done'
    const id = await fixture.start(runtime, ['sh', '-c', script])
    await ended(runtime, id)
    const lines = (await logsOf(runtime, id)).trimEnd().split('\n').map(Number)
    const first = lines[0] ?? 0
    expect(first).toBeGreaterThan(1)
    expect(lines).toEqual(Array.from({ length: 60_000 - first + 1 }, (_, index) => first + index))
    const stats = statSync(join(fixture.rootDir, 'pods', 'pod-0', 'containers', 'main', '0', 'log'))
    expect(stats.blocks * 512).toBeLessThan(stats.size)
  })

  test('a follower gets every line, the first within moments, and ends with the container', async () => {
    const runtime = fixture.runtime()
    const id = await fixture.start(
      runtime,
      ['sh', '-c', 'exec 3<>"$CONTROL"; while read -r line <&3; do echo "$line"; test "$line" = end && exit; done'],
      {
        env: { CONTROL: fixture.fifo('control') },
      },
    )
    const lines = runtime.logs(id, { follow: true, timestamps: true }, new AbortController().signal)[Symbol.asyncIterator]()
    for (const line of ['one', 'two', 'end']) {
      const next = lines.next()
      const sentMs = systemClock.now()
      await appendFile(fixture.fifo('control'), `${line}\n`)
      const [time, text] = Buffer.from((await next).value ?? [])
        .toString()
        .split(' ')
      expect(text).toBe(`${line}\n`)
      expect(Math.abs(Date.parse(time ?? '') - sentMs)).toBeLessThan(900)
    }
    expect((await lines.next()).done).toBe(true)
  })

  test('the log of the start before can be read, and since leaves older lines out', async () => {
    const runtime = fixture.runtime()
    const first = await fixture.start(runtime, ['sh', '-c', 'echo first'], { uid: 'p' })
    await ended(runtime, first)
    await runtime.usage()
    const sinceMs = systemClock.now() + 1
    await sleep(systemClock, 20)
    const second = await fixture.start(runtime, ['sh', '-c', 'echo second'], { uid: 'p', restartCount: 1 })
    await ended(runtime, second)
    expect([await logsOf(runtime, first), await logsOf(runtime, second)]).toEqual(['first\n', 'second\n'])
    expect([await logsOf(runtime, first, { sinceMs }), await logsOf(runtime, second, { sinceMs })]).toEqual(['', 'second\n'])
  })
})

describe('commands beside a container', () => {
  test('they share its variables, directory, user and cgroups; output is capped, exit codes are kept', async () => {
    const runtime = fixture.runtime()
    const id = await fixture.start(runtime, ['sleep', '1000'], { env: { A: 'x', 'my.var': 'y' }, workingDir: '/usr' })
    const { pid = 0 } = (await runtime.status(id)) ?? {}
    const run = async (script: string): Promise<string> => (await runtime.execSync(id, ['sh', '-c', script], 10_000)).stdout.toString()
    expect(await run('echo "$A"; pwd; id -u')).toBe(`x\n/usr\n${capabilities.users ? 65_534 : process.getuid?.()}\n`)
    expect((await runtime.execSync(id, ['env'], 10_000)).stdout.toString()).toContain('\nmy.var=y\n')
    expect(await run('cat /proc/self/cgroup')).toBe(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))
    expect((await run('head -c 1000000 /dev/zero')).length).toBe(65_536)
    const failed = await runtime.execSync(id, ['sh', '-c', 'echo no >&2; exit 7'], 10_000)
    expect([failed.exitCode, failed.stderr.toString()]).toEqual([7, 'no\n'])
    expect((await runtime.execSync(id, ['no-such-program'], 10_000)).exitCode).toBe(127)
  })

  test('a command that takes too long is killed with all it started', async () => {
    const runtime = fixture.runtime()
    const id = await fixture.start(runtime, ['sleep', '1000'])
    const pidFile = join(fixture.dir, 'pid')
    writeFileSync(pidFile, '', { mode: 0o666 })
    const work = runtime.execSync(id, ['sh', '-c', `sleep 1000 & echo $! >> ${pidFile}; wait`], 300)
    await expect(work).rejects.toMatchObject({ code: 'Timeout' })
    const pid = Number(readFileSync(pidFile, 'utf8'))
    await until(
      () => pid === 0 || readProcess(pid) === undefined,
      (gone) => gone,
    )
    expect((await runtime.status(id))?.state).toBe('running')
  })
})
