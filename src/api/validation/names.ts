import { isIP } from 'node:net'
import type { NameRule } from '../kind.ts'
import { checkLabelName, checkPathSegmentName, checkServiceName, checkSubdomainName } from '../meta/names.ts'
import { canonicalIp } from './ip.ts'

// As the checks of meta/names.ts: each gives the texts of what is wrong with a value, none for a good one.
// Source: k8s.io/apimachinery pkg/util/validation; the patterns are part of the texts.

const LABEL_FORMAT = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const UNDERSCORE_LABEL_FORMAT = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?'
const UNDERSCORE_SUBDOMAIN_FORMAT = `${UNDERSCORE_LABEL_FORMAT}(\\.${UNDERSCORE_LABEL_FORMAT})*`
const WILDCARD_FORMAT = `\\*\\.${LABEL_FORMAT}(\\.${LABEL_FORMAT})*`
const CONFIG_KEY_FORMAT = '[-._a-zA-Z0-9]+'
const HTTP_HEADER_FORMAT = '[-A-Za-z0-9]+'
const PERCENT_FORMAT = '[0-9]+%'

const UNDERSCORE_SUBDOMAIN = whole(UNDERSCORE_SUBDOMAIN_FORMAT)
const WILDCARD = whole(WILDCARD_FORMAT)
const CONFIG_KEY = whole(CONFIG_KEY_FORMAT)
const HTTP_HEADER = whole(HTTP_HEADER_FORMAT)
const PERCENT = whole(PERCENT_FORMAT)
const PRINTABLE_ASCII_BUT_EQUALS = /^[ -<>-~]*$/

/** What is wrong with an object's name. A `generateName` is checked as `prefix`: it may end in a dash. */
export function checkName(rule: NameRule, name: string, prefix: boolean): readonly string[] {
  const checked = prefix && name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name
  switch (rule) {
    case 'subdomain':
      return checkSubdomainName(checked)
    case 'label':
      return checkLabelName(checked)
    case 'rfc1035':
      return checkServiceName(checked)
    case 'path':
      return checkPathSegmentName(prefix ? `${name}x` : name)
    case 'ip':
      return isIP(name) !== 0 && canonicalIp(name) === name ? [] : ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)']
  }
}

/** An RFC 1123 subdomain in which underscores are fine: search domains of resolvers. */
export function checkUnderscoreSubdomain(value: string): readonly string[] {
  if (value.length > 253) return tooLong(253)
  if (UNDERSCORE_SUBDOMAIN.test(value)) return []
  const text =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character"
  return [patternText(text, UNDERSCORE_SUBDOMAIN_FORMAT, ['example.com'])]
}

/** `*.` and a subdomain. */
export function checkWildcardSubdomain(value: string): readonly string[] {
  if (value.length > 253) return tooLong(253)
  if (WILDCARD.test(value)) return []
  const text =
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
  return [patternText(text, WILDCARD_FORMAT, ['*.example.com'])]
}

/** Key of a ConfigMap or Secret. */
export function checkConfigKey(value: string): readonly string[] {
  const errors: string[] = value.length > 253 ? tooLong(253) : []
  if (!CONFIG_KEY.test(value)) {
    const text = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
    errors.push(patternText(text, CONFIG_KEY_FORMAT, ['key.name', 'KEY_NAME', 'key-name']))
  }
  if (value === '.') errors.push("must not be '.'")
  else if (value === '..') errors.push("must not be '..'")
  else if (value.startsWith('..')) errors.push("must not start with '..'")
  return errors
}

/** Environment variable: printable ASCII without `=`. */
export function checkEnvName(value: string): readonly string[] {
  const errors: string[] = []
  if (value === '') errors.push('environment variable name must be non-empty')
  if (!PRINTABLE_ASCII_BUT_EQUALS.test(value)) {
    errors.push("a valid environment variable name must consist only of printable ASCII characters other than '='")
  }
  return errors
}

/** Name of a container port (RFC 6335 service name). */
export function checkPortName(value: string): readonly string[] {
  const errors: string[] = value.length > 15 ? tooLong(15) : []
  if (!/^[-a-z0-9]+$/.test(value)) errors.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)')
  if (!/[a-z]/.test(value)) errors.push('must contain at least one letter (a-z)')
  if (value.includes('--')) errors.push('must not contain consecutive hyphens')
  if (value.startsWith('-') || value.endsWith('-')) errors.push('must not begin or end with a hyphen')
  return errors
}

export function checkPortNumber(value: number): readonly string[] {
  return checkRange(value, 1, 65535)
}

export function checkRange(value: number, low: number, high: number): readonly string[] {
  return value >= low && value <= high ? [] : [`must be between ${low} and ${high}, inclusive`]
}

export function checkHttpHeader(value: string): readonly string[] {
  if (HTTP_HEADER.test(value)) return []
  return [patternText("a valid HTTP header must consist of alphanumeric characters or '-'", HTTP_HEADER_FORMAT, ['X-Header-Name'])]
}

export function checkPercent(value: string): readonly string[] {
  if (PERCENT.test(value)) return []
  const text = "a valid percent string must be a numeric string followed by an ending '%'"
  return [patternText(text, PERCENT_FORMAT, ['1%', '93%'])]
}

function tooLong(max: number): string[] {
  return [`must be no more than ${max} characters`]
}

// the two spaces before `or` are upstream's
function patternText(text: string, format: string, examples: readonly string[]): string {
  const list = examples.map((example) => `'${example}', `).join(' or ')
  return `${text} (e.g. ${list}regex used for validation is '${format}')`
}

function whole(format: string): RegExp {
  return new RegExp(`^${format}$`)
}
