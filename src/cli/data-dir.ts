import { join, resolve } from 'node:path'
import type { CliContext } from './context.ts'

/** The data directory of a command line: absolute. Default `~/.biplane/default`. */
export function dataDirOf(context: CliContext, option: string | undefined): string {
  return option === undefined ? defaultDataDir(context) : resolve(context.cwd, option)
}

export function defaultDataDir(context: CliContext): string {
  return join(context.home, '.biplane', 'default')
}
