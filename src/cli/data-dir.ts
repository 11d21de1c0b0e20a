import { join, resolve } from 'node:path'
import type { CliContext } from './context.ts'

/** The data directory of a command line: absolute. Default `~/.biplane/default`; as root `/var/lib/biplane/default`, for root's home is closed to the users that containers run as. */
export function dataDirOf(context: CliContext, option: string | undefined): string {
  return option === undefined ? defaultDataDir(context) : resolve(context.cwd, option)
}

export function defaultDataDir(context: CliContext): string {
  return context.isRoot ? '/var/lib/biplane/default' : join(context.home, '.biplane', 'default')
}
