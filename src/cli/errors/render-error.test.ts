import { expect, test } from 'vitest'
import { StatusError } from '../../base/errors.ts'
import { YamlError } from '../../api/yaml.ts'
import { KubeconfigError } from '../../client/kubeconfig.ts'
import { TransportError } from '../../client/transport-error.ts'
import { CliError, usageError } from './cli-error.ts'
import { explainError, renderError } from './render-error.ts'

const render = (error: unknown): string => renderError(explainError(error), { debug: false })

test('what, where, why and how to fix stand below each other', () => {
  const error = new CliError('it broke', { where: 'a.yaml:3:5', why: 'one\ntwo', fix: 'mend it' })
  expect(render(error)).toBe('error: it broke\n  at:  a.yaml:3:5\n  why: one\n       two\n  fix: mend it\n')
})

test.each<[string, unknown, RegExp]>([
  ['YAML', new YamlError({ why: 'bad indent', line: 3, column: 5, fileName: 'a.yaml' }), / {2}at: {2}a\.yaml:3:5\n {2}why: bad indent/],
  ['no kubeconfig', new KubeconfigError('NotFound', 'no kubeconfig at /x'), /fix: start a cluster with "biplane up"/],
  ['no server', new TransportError('Unreachable', 'cannot reach https://x'), /fix: start a cluster/],
  ['a refused request', new StatusError('NotFound', 'pods "a" not found'), /^error: pods "a" not found\n$/],
  [
    'a missing file',
    Object.assign(new Error('x'), { code: 'ENOENT', syscall: 'open', path: '/x' }),
    /cannot open \/x\n {2}why: no such file/,
  ],
  ['anything', 'text', /^error: text\n$/],
])('%s', (_, error, expected) => {
  expect(render(error)).toMatch(expected)
})

test('several causes of one refusal are listed with their fields', () => {
  const causes = [
    { field: 'spec.a', message: 'Required value' },
    { field: 'spec.b', message: 'Invalid value' },
  ]
  expect(render(new StatusError('Invalid', 'x is invalid', { details: { causes } }))).toContain(
    'why: spec.a: Required value\n       spec.b: Invalid value',
  )
})

test('a stack is shown only when asked for', () => {
  const error = new TypeError('boom')
  expect(render(error)).not.toContain('render-error.test')
  expect(renderError(explainError(error), { debug: true })).toContain('render-error.test')
})

test('usage errors have exit code 2, others 1', () => {
  expect(usageError('x').exitCode).toBe(2)
  expect(explainError(new Error('x')).exitCode).toBe(1)
})
