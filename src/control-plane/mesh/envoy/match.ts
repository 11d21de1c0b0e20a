import type { HeaderMatch, HeaderModifier, HeaderValue, PathMatch, RouteMatch, StringMatch } from '../../../policy/traffic/model/index.ts'
import type { Json } from './resource.ts'

export function stringMatcher(match: StringMatch): Json {
  if ('regex' in match) return { safe_regex: { regex: match.regex } }
  if ('present' in match) return { safe_regex: { regex: '(?s).*' } }
  return { ...match, ignoreCase: undefined, ignore_case: match.ignoreCase === true }
}

export function headerMatcher({ name, value, invert }: HeaderMatch): Json {
  if ('present' in value) return { name, present_match: true, invert_match: invert === true }
  // a header that is not there is not the wanted value either
  return { name, string_match: stringMatcher(value), invert_match: invert === true, treat_missing_header_as_empty: invert === true }
}

function pathMatcher(path: PathMatch | undefined): Json {
  if (!path) return { prefix: '/' }
  if ('exact' in path) return { path: path.exact }
  if ('prefix' in path) return { prefix: path.prefix }
  if ('regex' in path) return { safe_regex: { regex: path.regex } }
  const prefix = path.pathPrefix.replace(/\/+$/, '')
  return prefix === '' ? { prefix: '/' } : { path_separated_prefix: prefix }
}

export function routeMatch({ path, method, headers = [], query = [], grpc }: RouteMatch): Json {
  return {
    ...pathMatcher(path),
    headers: [
      ...(method === undefined ? [] : [{ name: ':method', string_match: { exact: method } }]),
      ...headers.map((header) => headerMatcher(header)),
    ],
    query_parameters: query.map(({ name, value }) =>
      'present' in value ? { name, present_match: true } : { name, string_match: stringMatcher(value) },
    ),
    grpc: grpc ? {} : undefined,
  }
}

/** Percent signs are for format operators. */
const headerOption = ({ name, value }: HeaderValue, append_action: string): Json => ({
  header: { key: name, value: value.replaceAll('%', '%%') },
  append_action,
})

/** Fields of a route, virtual host or weighted cluster. `host` is no header there: see hostOf. */
export function headerChanges(request: HeaderModifier | undefined, response: HeaderModifier | undefined): Json {
  const add = ({ set = [], add = [] }: HeaderModifier = {}): Json[] =>
    [
      ...set.map((header) => [header, 'OVERWRITE_IF_EXISTS_OR_ADD'] as const),
      ...add.map((header) => [header, 'APPEND_IF_EXISTS_OR_ADD'] as const),
    ]
      .filter(([{ name }]) => name !== 'host')
      .map(([header, action]) => headerOption(header, action))
  return {
    request_headers_to_remove: request?.remove?.filter((name) => name !== 'host'),
    request_headers_to_add: add(request),
    response_headers_to_remove: response?.remove,
    response_headers_to_add: add(response),
  }
}

/** What a change of the `host` header asks for: Envoy has a field of its own for it. */
export const hostOf = (request: HeaderModifier | undefined): string | undefined =>
  [...(request?.set ?? []), ...(request?.add ?? [])].find(({ name }) => name === 'host')?.value

/** Text that stands for itself in RE2. */
export const quoteRegex = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`)
