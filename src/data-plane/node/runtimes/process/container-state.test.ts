import { expect, test } from 'vitest'
import {
  type ContainerFacts,
  decideState,
  formatExit,
  LOST_EXIT,
  parseClaim,
  parseExit,
  parseProgram,
  type StateDecision,
} from './container-state.ts'
import { parseStat } from './proc.ts'

const claim = { pid: 10, startTicks: 100, bootId: 'now' }
const program = { pid: 11, startTicks: 101 }
const exit = { exitCode: 0, reason: 'Completed' } as const

test.each<[string, Partial<ContainerFacts>, readonly number[], StateDecision]>([
  ['nothing written', {}, [], 'created'],
  ['claimed, the shim at work', { claim }, [10], 'starting'],
  ['claimed, the shim gone', { claim }, [], 'lost'],
  ['program and shim alive', { claim, program }, [10, 11], 'running'],
  ['shim killed, program alive', { claim, program }, [11], 'running'],
  ['program ended, shim about to write', { claim, program }, [10], 'running'],
  ['both gone', { claim, program }, [], 'lost'],
  ['exit written, the shim not gone yet', { claim, program, exit }, [10], 'exited'],
  ['exit without claim: the start failed', { exit }, [], 'exited'],
  ['another boot, the numbers taken by others', { claim: { ...claim, bootId: 'before' }, program }, [10, 11], 'lost'],
  ['another boot, the exit known', { claim: { ...claim, bootId: 'before' }, program, exit }, [], 'exited'],
])('%s', (_name, facts, alive, expected) => {
  const isAlive = (identity: { pid: number }): boolean => alive.includes(identity.pid)
  expect(decideState({ claim: undefined, program: undefined, exit: undefined, bootId: 'now', isAlive, ...facts })).toBe(expected)
})

test.each([
  ['0 0\n', { exitCode: 0, reason: 'Completed' }],
  ['42 0\n', { exitCode: 42, reason: 'Error' }],
  ['137 0\n', { exitCode: 137, reason: 'Error' }],
  ['137 2\n', { exitCode: 137, reason: 'OOMKilled' }],
  ['1 1\n', { exitCode: 1, reason: 'OOMKilled' }],
  ['0 1\n', { exitCode: 0, reason: 'Completed' }],
  ['128 0 StartError no such program: x\n', { exitCode: 128, reason: 'StartError', message: 'no such program: x' }],
  [formatExit(LOST_EXIT), LOST_EXIT],
  [formatExit({ exitCode: 1, reason: 'Error', message: 'two\nlines' }), { exitCode: 1, reason: 'Error', message: 'two lines' }],
  ['137 0', undefined],
  ['', undefined],
  [undefined, undefined],
])('exit file %j', (text, expected) => {
  expect(parseExit(text)).toEqual(expected)
})

test('lines that are not complete yet do not count', () => {
  expect([parseClaim('10 100 now\n'), parseClaim('10 100 no'), parseClaim('')]).toEqual([claim, undefined, undefined])
  expect([parseProgram('11 101\n'), parseProgram('11 10')]).toEqual([program, undefined])
})

test('a process may have any name', () => {
  const fields = ['S', 1, 2, 3, 0, -1, 0, 0, 0, 0, 0, 5, 6, 7, 8, 20, 0, 1, 0, 4242, 999, 77]
  expect(parseStat(`123 (a) b (c)) ${fields.join(' ')}`)).toEqual({
    pid: 123,
    state: 'S',
    parent: 1,
    group: 2,
    session: 3,
    cpuTicks: 26,
    startTicks: 4242,
    residentPages: 77,
  })
  expect(parseStat('')).toBeUndefined()
})
