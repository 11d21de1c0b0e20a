/**
 * Names: checks as upstream words them, and names made for `generateName`.
 * Source: k8s.io/apimachinery util/validation and k8s.io/apiserver storage/names.
 */

/** Characters without vowels and without look-alikes, so that nothing generated reads as a word. */
const SAFE_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789'

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const SERVICE = /^[a-z]([-a-z0-9]*[a-z0-9])?$/
const QUALIFIED = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/

/** A function that says what is wrong with a name; an empty list when nothing is. */
export type NameCheck = (name: string) => readonly string[]

/** RFC 1123 label, at most 63 characters: namespaces, container names, host names. */
export const checkLabelName: NameCheck = (name) =>
  problems(name, LABEL, {
    maxLength: 63,
    text:
      "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an " +
      "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
  })

/** RFC 1123 subdomain, at most 253 characters: the names of most kinds. */
export const checkSubdomainName: NameCheck = (name) =>
  problems(name, SUBDOMAIN, {
    maxLength: 253,
    text:
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an " +
      "alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
  })

/** RFC 1035 label, at most 63 characters: services. */
export const checkServiceName: NameCheck = (name) =>
  problems(name, SERVICE, {
    maxLength: 63,
    text:
      "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an " +
      "alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
  })

/** A single path segment, as RBAC names are (`system:masters`): not `.`, not `..`, without `/` and `%`. */
export const checkPathSegmentName: NameCheck = (name) => {
  if (name === '.' || name === '..') return [`may not be '${name}'`]
  return ['/', '%'].filter((bad) => name.includes(bad)).map((bad) => `may not contain '${bad}'`)
}

/** Key of a label or annotation: an optional subdomain and `/`, then at most 63 characters. */
export const checkQualifiedName: NameCheck = (key) => {
  const parts = key.split('/')
  if (parts.length > 2) {
    return [
      "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character " +
        "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') " +
        "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
    ]
  }
  const name = parts.at(-1) as string
  const found: string[] = []
  if (parts.length === 2) {
    const prefix = parts[0] as string
    if (prefix === '') found.push('prefix part must be non-empty')
    else found.push(...checkSubdomainName(prefix).map((text) => `prefix part ${text}`))
  }
  if (name === '') found.push('name part must be non-empty')
  else if (name.length > 63) found.push('name part must be no more than 63 characters')
  if (!QUALIFIED.test(name)) {
    found.push(
      "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character " +
        "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
    )
  }
  return found
}

/** Value of a label: empty, or at most 63 characters. */
export const checkLabelValue: NameCheck = (value) =>
  problems(value, LABEL_VALUE, {
    maxLength: 63,
    text:
      "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an " +
      "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
  })

function problems(name: string, pattern: RegExp, rule: { readonly maxLength: number; readonly text: string }): readonly string[] {
  const found: string[] = []
  // length first: the pattern is only run on short input
  if (name.length > rule.maxLength) return [`must be no more than ${rule.maxLength} characters`]
  if (!pattern.test(name)) found.push(rule.text)
  return found
}

const SUFFIX_LENGTH = 5
const MAX_GENERATED_LENGTH = 63

/**
 * `base` and five random characters. A base over 58 characters is cut so that the name stays within 63.
 * @param random as Math.random: a number in [0, 1)
 */
export function generateName(base: string, random: () => number): string {
  return base.slice(0, MAX_GENERATED_LENGTH - SUFFIX_LENGTH) + randomSuffix(SUFFIX_LENGTH, random)
}

/** `length` characters of the safe alphabet. */
export function randomSuffix(length: number, random: () => number): string {
  let text = ''
  for (let i = 0; i < length; i++) text += SAFE_ALPHABET[Math.floor(random() * SAFE_ALPHABET.length)]
  return text
}

/** Maps every character of `text` into the safe alphabet, always the same way (names from hashes). */
export function safeEncode(text: string): string {
  let encoded = ''
  for (let i = 0; i < text.length; i++) encoded += SAFE_ALPHABET[text.charCodeAt(i) % SAFE_ALPHABET.length]
  return encoded
}
