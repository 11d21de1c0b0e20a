import { join } from 'node:path'
import { dataLayout } from './layout.ts'

/** Where the router of a node answers. */
export function routerSocketPath(dataDir: string, name: string): string {
  return join(dataLayout(dataDir).node(name).state, 'router.sock')
}
