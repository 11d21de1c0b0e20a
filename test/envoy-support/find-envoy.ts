import { execFileSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

const usable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Envoy's binary: BIPLANE_ENVOY, `envoy` on the PATH, or what scripts/install-envoy.mjs has brought; undefined where there is none. */
export const ENVOY: string | undefined = [
  ...(process.env['BIPLANE_ENVOY'] ? [process.env['BIPLANE_ENVOY']] : []),
  ...(process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'envoy')),
  join(import.meta.dirname, '../../node_modules/.cache/biplane/envoy/envoy/_bin/envoy'),
].find((path) => usable(path))

/** What stands behind the names of tests that cannot run here. */
export const WITHOUT_ENVOY: string = ENVOY ? '' : ' (skipped: no envoy; set BIPLANE_ENVOY or run scripts/install-envoy.mjs)'

export const envoyVersion = (): string => (ENVOY ? execFileSync(ENVOY, ['--version'], { encoding: 'utf8' }).trim() : 'none')
