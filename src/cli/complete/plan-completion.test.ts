import { expect, test } from 'vitest'
import { planCompletion, type CommandShape } from './plan-completion.ts'

const option = (flags: readonly string[], takesValue: boolean, choices: readonly string[] = []) => ({
  flags,
  description: '',
  takesValue,
  choices,
})
const leaf = (name: string, more: Partial<CommandShape> = {}): CommandShape => ({
  name,
  description: '',
  commands: [],
  options: [option(['-n', '--namespace'], true), option(['-o', '--output'], true, ['json', 'yaml'])],
  takesObjects: true,
  choices: [],
  ...more,
})
const PROGRAM = leaf('biplane', {
  takesObjects: false,
  commands: [
    leaf('get'),
    leaf('logs'),
    leaf('rollout', { takesObjects: false, commands: [leaf('status')] }),
    leaf('completion', { takesObjects: false, choices: ['bash', 'zsh'] }),
  ],
})

test.each<[string, readonly string[], readonly string[]]>([
  ['commands', [''], ['get', 'logs', 'rollout', 'completion']],
  ['sub-commands', ['rollout', ''], ['status']],
  ['flags', ['get', '-'], ['--namespace', '--output']],
  ['values of a flag', ['get', 'pods', '-o', ''], ['json', 'yaml']],
  ['choices of an argument', ['completion', ''], ['bash', 'zsh']],
])('%s', (_, words, values) => {
  expect(planCompletion(PROGRAM, words).words.map(({ value }) => value)).toEqual(values)
})

test.each<[readonly string[], unknown]>([
  [['get', ''], { type: 'kinds', suffix: '' }],
  [['get', 'pods', ''], { type: 'names', kind: 'pods', prefix: '' }],
  [['get', 'deploy/w'], { type: 'names', kind: 'deploy', prefix: 'deploy/' }],
  [['logs', ''], { type: 'names', kind: 'pods', prefix: '' }],
  [['get', '-n', ''], { type: 'names', kind: 'namespaces', prefix: '' }],
  [['rollout', 'status', 'deploy/'], { type: 'names', kind: 'deploy', prefix: 'deploy/' }],
])('%j asks the cluster', (words, live) => {
  expect(planCompletion(PROGRAM, words).live).toEqual(live)
})

test('the namespace of the command line counts', () => {
  expect(planCompletion(PROGRAM, ['get', '-n', 'shop', 'pods', '']).options).toEqual({ namespace: 'shop' })
  expect(planCompletion(PROGRAM, ['get', '--namespace=shop', 'pods', '']).options).toEqual({ namespace: 'shop' })
})
