import { expect, test } from 'vitest'
import { parseEnd } from './parse-end.ts'

test.each<[string, object]>([
  ['10.0.0.1', { kind: 'ip', address: '10.0.0.1', port: undefined }],
  ['10.0.0.1:80', { kind: 'ip', address: '10.0.0.1', port: '80' }],
  ['fd00::1', { kind: 'ip', address: 'fd00::1', port: undefined }],
  ['[fd00:0::1]:http', { kind: 'ip', address: 'fd00::1', port: 'http' }],
  ['[fd00::1]', { kind: 'ip', address: 'fd00::1', port: undefined }],
  ['web', { kind: 'service', namespace: undefined, name: 'web', port: undefined }],
  ['web:80', { kind: 'service', namespace: undefined, name: 'web', port: '80' }],
  ['shop/web-0:8080', { kind: 'pod', namespace: 'shop', name: 'web-0', port: '8080' }],
  ['pod/web-0', { kind: 'pod', namespace: undefined, name: 'web-0', port: undefined }],
  ['pod/shop/web-0:http', { kind: 'pod', namespace: 'shop', name: 'web-0', port: 'http' }],
  ['svc/shop/web', { kind: 'service', namespace: 'shop', name: 'web', port: undefined }],
  ['svc/web:http', { kind: 'service', namespace: undefined, name: 'web', port: 'http' }],
  ['web.shop:80', { kind: 'service', namespace: 'shop', name: 'web', port: '80' }],
  ['web.shop.svc.cluster.local', { kind: 'service', namespace: 'shop', name: 'web', port: undefined }],
])('%s', (text, expected) => {
  expect(parseEnd(text, 'service')).toEqual(expected)
})

test('a name alone is what it is taken for', () => {
  expect(parseEnd('web', 'pod')).toMatchObject({ kind: 'pod', name: 'web' })
})

test.each(['', ':80', 'a/b/c/d', 'svc/', 'Web', 'web:', 'web:0', 'web:70000', 'web:a b', '[fd00::1]:'])('%j is refused', (text) => {
  expect(() => parseEnd(text, 'pod')).toThrow(expect.objectContaining({ exitCode: 2 }))
})
