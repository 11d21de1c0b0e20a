import { delimiter, dirname } from 'node:path'

const SYSTEM = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** PATH of containers: the directory of this very Node first, so that `node` is the one that runs biplane; then the agent's own. */
export function containerPath(env: Readonly<Record<string, string | undefined>>, execPath: string): string {
  const own = env['PATH'] || SYSTEM
  return [...new Set([dirname(execPath), ...own.split(delimiter), ...SYSTEM.split(delimiter)])]
    .filter((dir) => dir.startsWith('/'))
    .join(delimiter)
}
