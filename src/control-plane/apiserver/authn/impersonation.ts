import { StatusError } from '../../../base/errors.ts'
import type { UserInfo } from '../contract.ts'
import { authenticated } from './authenticator.ts'

/**
 * The user to act as: the one the `impersonate-*` headers name, else `user`. Only members of `system:masters` may impersonate.
 * `rawHeaders` alternates names and values.
 *
 * @throws {StatusError} `Forbidden`, `BadRequest` (groups or extra without a user)
 */
export function impersonate(user: UserInfo, rawHeaders: readonly string[]): UserInfo {
  const wanted = read(rawHeaders)
  if (!wanted) return user
  if (!user.groups.includes('system:masters')) {
    throw new StatusError(
      'Forbidden',
      `users "${wanted.name}" is forbidden: User "${user.name}" cannot impersonate resource "users" in API group ""`,
    )
  }
  if (wanted.name === '') throw new StatusError('BadRequest', 'requested impersonation without a user: set the header impersonate-user')
  return authenticated(wanted)
}

const PREFIX = 'impersonate-'
const EXTRA = 'impersonate-extra-'

function read(rawHeaders: readonly string[]): UserInfo | undefined {
  let name: string | undefined
  let uid: string | undefined
  const groups: string[] = []
  const extra = Object.create(null) as Record<string, string[]>
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const header = (rawHeaders[i] as string).toLowerCase()
    if (!header.startsWith(PREFIX)) continue
    const value = rawHeaders[i + 1] as string
    name ??= ''
    if (header === 'impersonate-user') name = value
    else if (header === 'impersonate-uid') uid = value
    else if (header === 'impersonate-group') groups.push(value)
    else if (header.startsWith(EXTRA)) (extra[header.slice(EXTRA.length)] ??= []).push(value)
  }
  if (name === undefined) return undefined
  return { name, groups, ...(uid === undefined ? {} : { uid }), ...(Object.keys(extra).length > 0 ? { extra } : {}) }
}
