import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

/** Where `pip install --target` has put grpcio for tests. */
const CACHE = join(import.meta.dirname, '../../node_modules/.cache/biplane/python')

/** Environment in which python3 has grpcio (gRPC C-core), or undefined. */
export const GRPCIO: Record<string, string> | undefined = [{}, { PYTHONPATH: CACHE }].find(
  (environment) => spawnSync('python3', ['-c', 'import grpc'], { env: { ...process.env, ...environment }, timeout: 20_000 }).status === 0,
)
