import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkProgram, type ProgramContext } from './resolve-program.ts'

let dir: string
const self = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
// somebody who is neither owner nor group of what the test makes
const other = { uid: self.uid + 4242, gid: self.gid + 4242 }

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'biplane-program-'))
  chmodSync(dir, 0o755)
  for (const name of ['bin', 'closed']) mkdirSync(join(dir, name))
  for (const [name, mode] of [
    ['bin/run', 0o755],
    ['bin/data', 0o644],
    ['bin/own', 0o700],
    ['closed/run', 0o755],
  ] as const) {
    writeFileSync(join(dir, name), '#!/bin/sh\n')
    chmodSync(join(dir, name), mode)
  }
  chownSync(join(dir, 'bin'), self.uid, self.gid)
  chmodSync(join(dir, 'closed'), 0o700)
})
afterAll(() => rmSync(dir, { recursive: true }))

function problem(program: string, context: Partial<ProgramContext> = {}): string {
  try {
    checkProgram(program, { env: { PATH: `/nonexistent:${dir}/bin` }, cwd: '/', user: other, mounts: [], ...context })
    return ''
  } catch (error) {
    expect(error).toMatchObject({ code: 'StartError' })
    return (error as Error).message.replaceAll(dir, 'DIR')
  }
}

test('programs are found by path, on PATH, and below the working directory', () => {
  expect([problem('run'), problem(`${dir}/bin/run`), problem('./run', { cwd: `${dir}/bin` }), problem('bin/run', { cwd: dir })]).toEqual(
    Array(4).fill(''),
  )
})

test.each([
  ['nope', {}, 'program "nope" is not on this node: searched /nonexistent:DIR/bin'],
  ['nope', { env: {} }, 'program "nope" is not on this node: searched an empty PATH'],
  ['/no/such', {}, 'program "/no/such" does not exist'],
  ['data', {}, 'program "data" may not be executed by user OTHER'],
  ['own', {}, 'program "own" may not be executed by user OTHER'],
  ['/tmp', {}, 'program "/tmp" is a directory'],
  ['', {}, 'the command is an empty string'],
  ['run', { cwd: '/no/such' }, 'working directory "/no/such" does not exist'],
])('program %j: %j', (program, context, expected) => {
  expect(problem(program, context).replace(String(other.uid), 'OTHER')).toBe(expected)
})

test('a directory on the way that the user may not enter is named', () => {
  expect(problem(`${dir}/closed/run`)).toContain('it may not enter DIR/closed')
  expect(problem('run', { cwd: `${dir}/closed` })).toContain('may not be entered')
  expect(problem(`${dir}/closed/run`, { user: self })).toBe('')
})

test('what a volume holds is found at its mountPath, wherever it lies', () => {
  const mounts = [{ hostPath: `${dir}/closed`, mountPath: '/scripts', readOnly: true }]
  expect(problem('/scripts/run', { mounts })).toContain('may not enter DIR/closed')
  chmodSync(join(dir, 'closed'), 0o755)
  expect(problem('/scripts/run', { mounts })).toBe('')
  expect(problem('/scripts/gone', { mounts })).toBe('program "/scripts/gone" does not exist')
})
