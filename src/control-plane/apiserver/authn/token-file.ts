import type { StaticToken } from './authenticator.ts'

/**
 * Reads `token,user,uid[,"group1,group2"]` lines. Empty lines and those that start with `#` do not count.
 * Source: kube-apiserver `--token-auth-file`.
 *
 * @throws an Error that names the line
 */
export function parseTokenFile(text: string): readonly StaticToken[] {
  const tokens: StaticToken[] = []
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    const [token = '', name = '', uid = '', groups = ''] = fieldsOf(line)
    if (token === '' || name === '') throw new Error(`token file, line ${index + 1}: want token,user,uid[,"group1,group2"]`)
    tokens.push({ token, user: { name, ...(uid ? { uid } : {}), groups: groups.split(',').map(trim).filter(Boolean) } })
  }
  return tokens
}

const trim = (text: string): string => text.trim()

function fieldsOf(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"([^"]*)"|([^,]*))/g)].map((match) => (match[1] ?? match[2] ?? '').trim())
}
