import { expect, test } from 'vitest'
import type { Pod } from '../../../api/generated/types.ts'
import { parseQuery } from '../http/query.ts'
import { execTarget, readExecQuery } from './exec-options.ts'

test('a query says what to run, where and what is to be seen of it', () => {
  expect(readExecQuery(parseQuery('command=sh&command=-c&command=&container=a&stdout=true'))).toEqual({
    command: ['sh', '-c', ''],
    container: 'a',
    stdout: true,
    stderr: false,
  })
})

test.each([
  ['stdout=true', 'you must specify at least 1 command'],
  ['command=&stdout=true', 'you must specify at least 1 command'],
  ['command=a', 'you must specify at least one of stdin, stdout, stderr'],
  ['command=a&stdout=true&tty=true', 'exec with a terminal is not supported here: leave out -t (--tty)'],
  ['command=a&stdout=true&stdin=true', 'exec with standard input is not supported here: leave out -i (--stdin)'],
  [`command=${'a'.repeat(131_072)}&stdout=true`, 'the command has 131073 bytes, 131072 are allowed'],
])('%.60s is refused', (query, message) => {
  expect(() => readExecQuery(parseQuery(query))).toThrow(message)
})

const pod = (parts: Partial<Pod>): Pod => ({ metadata: { name: 'p' }, spec: { nodeName: 'n', containers: [{ name: 'a' }] }, ...parts })

test('the target is the pod’s node and its container', () => {
  expect(execTarget(pod({}), undefined)).toEqual({ node: 'n', container: 'a' })
  expect(() => execTarget(pod({}), 'b')).toThrow('container b is not valid for pod p')
  expect(() => execTarget(pod({ spec: { containers: [{ name: 'a' }] } }), 'a')).toThrow('pod p does not have a host assigned')
  expect(() => execTarget(pod({ status: { phase: 'Failed' } }), 'a')).toThrow('completed pod; current phase is Failed')
})
