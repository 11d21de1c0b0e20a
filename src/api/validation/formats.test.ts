import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FieldErrors, collectErrors, uniqueErrors } from './field-errors.ts'
import { canonicalIp, checkCidr, checkEndpointIp, checkIp, isDualStack, isProperSubnet } from './ip.ts'
import {
  checkConfigKey,
  checkEnvName,
  checkHttpHeader,
  checkName,
  checkPercent,
  checkPortName,
  checkUnderscoreSubdomain,
  checkWildcardSubdomain,
} from './names.ts'

const lines = (check: (errors: FieldErrors) => void): string[] => collectErrors(check).map(({ field, message }) => `${field}: ${message}`)

test('errors have the types and texts of upstream', () => {
  const errors = new FieldErrors()
  errors.required('a')
  errors.required('a', 'why')
  errors.invalid('b', 'x"y', 'why')
  errors.invalid('b', { c: 1 }, 'why')
  errors.invalid('b', undefined, 'why')
  errors.notSupported('c', 'x', ['y', 'z'])
  errors.duplicate('d', 'x')
  errors.notFound('e', 'x')
  errors.forbidden('f', 'why')
  errors.tooLong('', 1)
  errors.tooMany('h', 3, 2)
  expect(errors.list.map(({ type, field, message }) => `${type} ${field} ${message}`)).toEqual([
    'FieldValueRequired a Required value',
    'FieldValueRequired a Required value: why',
    'FieldValueInvalid b Invalid value: "x\\"y": why',
    'FieldValueInvalid b Invalid value: {"c":1}: why',
    'FieldValueInvalid b Invalid value: null: why',
    'FieldValueNotSupported c Unsupported value: "x": supported values: "y", "z"',
    'FieldValueDuplicate d Duplicate value: "x"',
    'FieldValueNotFound e Not found: "x"',
    'FieldValueForbidden f Forbidden: why',
    'FieldValueTooLong <nil> Too long: may not be more than 1 byte',
    'FieldValueTooMany h Too many: 3: must have at most 2 items',
  ])
})

test('what two checks find missing is said once, what is wrong in two ways twice', () => {
  const errors = new FieldErrors()
  errors.required('a')
  errors.required('a', 'why')
  errors.invalid('b', 1, 'one')
  errors.invalid('b', 1, 'two')
  errors.invalid('b', 1, 'two')
  expect(uniqueErrors(errors.list).map((error) => error.message)).toEqual([
    'Required value',
    'Invalid value: 1: one',
    'Invalid value: 1: two',
  ])
})

describe('names', () => {
  test.each([
    [checkPortName, 'http', []],
    [checkPortName, '80', ['must contain at least one letter (a-z)']],
    [checkPortName, '-a', ['must not begin or end with a hyphen']],
    [checkPortName, 'a--b', ['must not contain consecutive hyphens']],
    [
      checkPortName,
      'A',
      ['must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)', 'must contain at least one letter (a-z)'],
    ],
    [checkConfigKey, 'a.b_c-D', []],
    [checkConfigKey, '..', ["must not be '..'"]],
    [checkConfigKey, '..a', ["must not start with '..'"]],
    [
      checkConfigKey,
      'a/b',
      [
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
      ],
    ],
    [checkEnvName, '1 weird name!', []],
    [checkEnvName, '', ['environment variable name must be non-empty']],
    [checkHttpHeader, 'X-Y', []],
    [checkPercent, '25%', []],
    [
      checkPercent,
      '25',
      [
        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
      ],
    ],
    [checkWildcardSubdomain, '*.a.b', []],
    [checkUnderscoreSubdomain, '_sip._tcp.a', []],
  ])('%o of %j', (check, value, problems) => {
    expect(check(value)).toEqual(problems)
  })

  test('generateName may end in a dash, names may not', () => {
    expect(checkName('subdomain', 'web-', true)).toEqual([])
    expect(checkName('subdomain', 'web-', false)).toHaveLength(1)
    expect(checkName('rfc1035', '1web', false)).toHaveLength(1)
    expect(checkName('path', 'system:node', false)).toEqual([])
    expect(checkName('path', 'a/b', false)).toEqual(["may not contain '/'"])
    expect(checkName('ip', '10.0.0.1', false)).toEqual([])
    expect(checkName('ip', '2001:DB8::1', false)).toHaveLength(1)
  })
})

describe('addresses', () => {
  test.each([
    ['10.0.0.1', []],
    ['010.0.0.1', ['x: Invalid value: "010.0.0.1": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)']],
    ['2001:db8::1', []],
    ['::ffff:1.2.3.4', ['x: Invalid value: "::ffff:1.2.3.4": must not be an IPv4-mapped IPv6 address']],
    ['fe80::1%eth0', ['x: Invalid value: "fe80::1%eth0": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)']],
  ])('%s', (address, errors) => {
    expect(lines((collector) => checkIp(collector, 'x', address))).toEqual(errors)
  })

  test.each([
    ['10.0.0.0/8', []],
    ['::/0', []],
    ['10.0.0.1/8', ['x: Invalid value: "10.0.0.1/8": must not have bits set beyond the prefix length']],
    ['2001:db8::1/64', ['x: Invalid value: "2001:db8::1/64": must not have bits set beyond the prefix length']],
    ['10.0.0.0/33', ['x: Invalid value: "10.0.0.0/33": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)']],
    ['10.0.0.0/08', ['x: Invalid value: "10.0.0.0/08": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)']],
    ['10.0.0.0', ['x: Invalid value: "10.0.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)']],
  ])('%s', (cidr, errors) => {
    expect(lines((collector) => checkCidr(collector, 'x', cidr))).toEqual(errors)
  })

  test.each([
    ['0.0.0.0', 'may not be unspecified (0.0.0.0)'],
    ['169.254.1.1', 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'],
    ['fe80::1', 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'],
    ['224.0.0.1', 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'],
  ])('no endpoint is at %s', (address, text) => {
    expect(lines((errors) => checkEndpointIp(errors, 'x', address))).toEqual([`x: Invalid value: "${address}": ${text}`])
  })

  test('an endpoint may have a loopback address: pods without a network of their own do', () => {
    expect(lines((errors) => checkEndpointIp(errors, 'x', '127.1.2.3'))).toEqual([])
  })

  test('subnets and families', () => {
    expect(isProperSubnet('10.1.0.0/16', '10.0.0.0/8')).toBe(true)
    expect(isProperSubnet('10.0.0.0/8', '10.0.0.0/8')).toBe(false)
    expect(isProperSubnet('11.0.0.0/16', '10.0.0.0/8')).toBe(false)
    expect(isProperSubnet('2001:db8:1::/48', '2001:db8::/32')).toBe(true)
    expect(isProperSubnet('2001:db8::/32', '10.0.0.0/8')).toBe(false)
    expect(isDualStack(['10.0.0.1', '::1'])).toBe(true)
    expect(isDualStack(['10.0.0.0/8', '11.0.0.0/8'])).toBe(false)
  })

  test('every IPv6 address is accepted in its canonical form, which stays as it is', () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        fc.pre(!/\d\.\d/.test(address))
        const canonical = canonicalIp(address)
        expect(canonicalIp(canonical)).toBe(canonical)
        if (!canonical.startsWith('::ffff:')) expect(lines((errors) => checkIp(errors, 'x', canonical))).toEqual([])
      }),
      { numRuns: 200 },
    )
  })
})
