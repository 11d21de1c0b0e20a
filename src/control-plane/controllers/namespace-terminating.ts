import { isStatus } from '../../base/errors.ts'

/** Whether a create was refused because the namespace goes away: no failure of the object that asked for it. */
export function isNamespaceTerminating(error: unknown): boolean {
  return isStatus(error, 'Forbidden') && (error.details?.causes?.some((cause) => cause.reason === 'NamespaceTerminating') ?? false)
}
