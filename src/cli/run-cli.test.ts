import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { fakeContext } from './fake-context.ts'
import { parseDuration, parseListen } from './program/options.ts'
import { PROGRAM_VERSION } from './program-version.ts'
import { runCli } from './run-cli.ts'

async function run(...argv: readonly string[]): Promise<{ readonly exitCode: number; readonly out: string; readonly err: string }> {
  const context = fakeContext()
  const exitCode = await runCli(argv, context)
  return { exitCode, out: context.stdout(), err: context.stderr() }
}

describe('a command line that means nothing ends with 2 and says what was meant', () => {
  test.each<[readonly string[], string]>([
    [['gett'], '(Did you mean get?)'],
    [['get', 'pods', '--namspace', 'x'], '(Did you mean --namespace?)'],
    [['get'], "missing required argument 'what'"],
    [['get', 'pods', '-o', 'xml'], "argument 'xml' is invalid"],
    [['up', '--listen', 'nonsense'], 'Expected HOST:PORT'],
    [['wait', 'pods', '--for', 'x', '--timeout', 'soon'], 'Expected a duration'],
    [['apply'], 'say which manifests'],
  ])('%j', async (argv, expected) => {
    const { exitCode, err } = await run(...argv)
    expect(exitCode).toBe(2)
    expect(err).toContain(expected)
    expect(err).not.toMatch(/\n {4}at /)
  })
})

test('help ends with 0 and names every command but the hidden ones', async () => {
  const { exitCode, out } = await run('--help')
  expect(exitCode).toBe(0)
  for (const name of [
    'up',
    'down',
    'control-plane',
    'node',
    'token',
    'apply',
    'get',
    'describe',
    'logs',
    'delete',
    'wait',
    'routes',
    'peers',
    'verdict',
    'demo',
    'completion',
  ]) {
    expect(out).toMatch(new RegExp(`^ {2}${name} `, 'm'))
  }
  expect(out).not.toContain('store-check')
  expect(out).not.toContain('__complete')
})

test('without kubeconfig a command fails with 1 and says how to get one; a stack only with --debug', async () => {
  const plain = await run('get', 'pods')
  expect(plain.exitCode).toBe(1)
  expect(plain.err).toContain('error: no kubeconfig at /nowhere/home/.kube/config')
  expect(plain.err).toContain('fix: start a cluster with "biplane up"')
  expect(plain.err).not.toMatch(/\n {4}at /)
  expect((await run('get', 'pods', '--debug')).err).toMatch(/\n {4}at /)
})

test('the version is that of the package', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  expect(PROGRAM_VERSION).toBe(version)
  expect(await run('--version')).toEqual({ exitCode: 0, out: `${version}\n`, err: '' })
  expect(JSON.parse((await run('version', '--client', '-o', 'json')).out)).toMatchObject({ clientVersion: { version } })
})

test.each([
  ['90s', 90_000],
  ['1h30m', 5_400_000],
  ['250ms', 250],
  ['5', 5_000],
  ['0', 0],
])('%s lasts %i ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

test.each([
  ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
  ['[::1]:6443', { host: '::1', port: 6443 }],
])('%s is an address', (text, address) => {
  expect(parseListen(text)).toEqual(address)
})
