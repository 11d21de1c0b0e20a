import { RE2JS } from 're2js'
import { messageOf } from '../../../base/errors.ts'
import type { HeaderMatch, PathMatch, QueryMatch, StringMatch } from '../model/index.ts'
import { headerText, type RequestView } from './request-view.ts'

export type StringTest = (value: string | undefined) => boolean

/** A pattern that cannot be executed: what and why, for the author. */
export class MatchError extends Error {
  override readonly name = 'MatchError'
}

/** Longest pattern; RE2 takes linear time in the text, but memory by the pattern. */
const MAX_REGEX = 1_024

/** @returns why a regular expression is refused, for validation; undefined if it is good */
export function regexProblem(regex: string): string | undefined {
  if (regex.length > MAX_REGEX) return `regular expression of ${regex.length} characters: at most ${MAX_REGEX} are allowed`
  try {
    RE2JS.compile(regex)
    return undefined
  } catch (error) {
    return `regular expression ${JSON.stringify(regex)} is not RE2: ${messageOf(error)}; look-around and back references are not supported`
  }
}

/** Matches the whole text, in time linear in its length whatever the pattern. @throws MatchError */
export function compileRegex(regex: string): (value: string) => boolean {
  const problem = regexProblem(regex)
  if (problem !== undefined) throw new MatchError(problem)
  const compiled = RE2JS.compile(regex)
  return (value) => compiled.testExact(value)
}

/** A value that is not there matches nothing. @throws MatchError for regular expressions that are none */
export function compileStringMatch(match: StringMatch): StringTest {
  if ('present' in match) return (value) => value !== undefined
  if ('regex' in match) {
    const test = compileRegex(match.regex)
    return (value) => value !== undefined && test(value)
  }
  const fold = match.ignoreCase === true
  const compare = compareText(match, fold)
  return fold ? (value) => value !== undefined && compare(value.toLowerCase()) : (value) => value !== undefined && compare(value)
}

function compareText(match: Exclude<StringMatch, { regex: string } | { present: true }>, fold: boolean): (value: string) => boolean {
  const wanted = (text: string): string => (fold ? text.toLowerCase() : text)
  if ('exact' in match) {
    const text = wanted(match.exact)
    return (value) => value === text
  }
  if ('prefix' in match) {
    const text = wanted(match.prefix)
    return (value) => value.startsWith(text)
  }
  if ('suffix' in match) {
    const text = wanted(match.suffix)
    return (value) => value.endsWith(text)
  }
  const text = wanted(match.contains)
  return (value) => value.includes(text)
}

/** Whether one of several texts matches; none given: `undefined`, which callers read as "everything". */
export function compileAny(matches: readonly StringMatch[] | undefined): StringTest | undefined {
  if (matches === undefined || matches.length === 0) return undefined
  const tests = matches.map(compileStringMatch)
  return tests.length === 1 ? tests[0] : (value) => tests.some((test) => test(value))
}

/** Of a path without its query. `/` as a prefix of segments matches everything; a slash at the end of a prefix says nothing. */
export function compilePathMatch(match: PathMatch): (path: string) => boolean {
  if ('exact' in match) return (path) => path === match.exact
  if ('prefix' in match) return (path) => path.startsWith(match.prefix)
  if ('regex' in match) return compileRegex(match.regex)
  const prefix = match.pathPrefix.replace(/\/+$/, '')
  const { length } = prefix
  // 47 is the slash
  return (path) => path.startsWith(prefix) && (path.length === length || path.charCodeAt(length) === 47)
}

/**
 * All values of a header count as one, joined by commas. A header that is not there does not match, inverted or not, except that `present` inverted
 * asks for just that: Envoy's and gRPC's reading.
 */
export function compileHeaderMatch(match: HeaderMatch): (request: RequestView) => boolean {
  const { name, value, invert = false } = match
  const test = compileStringMatch(value)
  if ('present' in value) return (request) => (headerText(request, name) !== undefined) !== invert
  return (request) => {
    const text = headerText(request, name)
    return text !== undefined && test(text) !== invert
  }
}

/** The first parameter of the name counts, as it stands in the path (not decoded): Envoy's reading. */
export function compileQueryMatch(match: QueryMatch): (request: RequestView) => boolean {
  const test = compileStringMatch(match.value)
  return (request) => test(queryValue(request.path, match.name))
}

/** Value of the first parameter of a name in the query of a path; '' for one without `=`. */
export function queryValue(path: string, name: string): string | undefined {
  const hash = path.indexOf('#')
  const end = hash < 0 ? path.length : hash
  let start = path.indexOf('?') + 1
  while (start > 0 && start <= end) {
    let next = path.indexOf('&', start)
    if (next < 0 || next > end) next = end
    if (path.startsWith(name, start)) {
      const behind = start + name.length
      if (behind === next) return ''
      if (behind < next && path.charCodeAt(behind) === 61) return path.slice(behind + 1, next)
    }
    start = next + 1
  }
  return undefined
}

/** Value of a cookie. Source: RFC 6265 4.2. */
export function cookieValue(header: string | undefined, name: string): string | undefined {
  if (header === undefined) return undefined
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=')
    if (equals < 0 || pair.slice(0, equals).trim() !== name) continue
    return pair
      .slice(equals + 1)
      .trim()
      .replace(/^"(.*)"$/, '$1')
  }
  return undefined
}
